// A moment: how long ago it was in the cluster's time, and exactly when on hover.
import { exact, span } from "./format";
import { now } from "./Tick";

export function Age(props: { at: number }) {
  return (
    <time datetime={exact(props.at)} title={exact(props.at)}>
      {span(now() - props.at)} ago
    </time>
  );
}
