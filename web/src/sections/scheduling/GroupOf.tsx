// An AppGroup on its own page: where it is, what it costs, and what would cost less.
import { Answered } from "../../ui/Answered";
import { Empty } from "../../ui/Notice";
import { GroupCost, useProposal } from "./Groups";
import { GroupView } from "./GroupView";

export function GroupOf(props: { namespace: string; name: string }) {
  const asked = useProposal(
    () => props,
    () => true,
  );
  return (
    <section class="of-subject" aria-labelledby="placed">
      <h2 id="placed">
        Over zones and nodes <span>what depends on what, and what the network costs it</span>
      </h2>
      <Answered
        asked={asked}
        there={asked.data}
        none={<Empty title="It is not known where its pods are" />}
        refusal={{ title: "You may not see where its pods are", role: "That needs a role that may list pods." }}
        rows={5}
      >
        {(proposal) => (
          <article class="group" aria-label={`${props.namespace}/${props.name}`}>
            <header class="group-head">
              <GroupCost group={proposal().now} />
            </header>
            <GroupView group={proposal().now} proposal={proposal()} />
          </article>
        )}
      </Answered>
    </section>
  );
}
