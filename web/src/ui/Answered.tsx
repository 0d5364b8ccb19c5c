// What stands where an answer would: the answer, that there is none, that one may not see it, that it could not be had, or
// that it comes. An answer from before stays when the next one cannot be had, and that is said above it.
import { type Accessor, type JSX, Match, Show, Switch } from "solid-js";
import { refused } from "../api/client";
import { Rows } from "./Bones";
import { Empty, Failure, Trouble } from "./Notice";

/** A question as the query cache has it. */
export type Asked = {
  readonly data: unknown;
  readonly isError: boolean;
  readonly isPending: boolean;
  readonly error: unknown;
  refetch(): unknown;
};

export function Answered<T>(props: {
  asked: Asked;
  /** What there is to show, if there is anything. */
  there: T | false | null | undefined;
  children: (there: Accessor<NonNullable<T>>) => JSX.Element;
  /** What is said when it is known that there is nothing. */
  none: JSX.Element;
  /** What is said to who may not see it. */
  refusal?: { title: string; role: string };
  /** How many rows stand for what comes. */
  rows: number;
  /** What is said above an answer from before. */
  earlier?: string;
  retry?: () => unknown;
}) {
  const retry = () => void (props.retry ?? props.asked.refetch)();
  const known = () => Boolean(props.there) || props.asked.data !== undefined;
  return (
    <>
      <Show when={props.asked.isError && known()}>
        <Trouble what={props.earlier ?? "This is from earlier:"} error={props.asked.error} retry={retry} />
      </Show>
      <Switch>
        <Match when={props.there || undefined}>{(there) => props.children(there as Accessor<NonNullable<T>>)}</Match>
        <Match when={props.asked.data !== undefined}>{props.none}</Match>
        <Match when={props.asked.isError && refused(props.asked.error) && props.refusal}>
          {(refusal) => <Empty title={refusal().title}>{refusal().role}</Empty>}
        </Match>
        <Match when={props.asked.isError}>
          <Failure error={props.asked.error} retry={retry} />
        </Match>
        <Match when={props.asked.isPending}>
          <Rows rows={props.rows} />
        </Match>
      </Switch>
    </>
  );
}
