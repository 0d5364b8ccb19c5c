// A feature's mode as a pill.
import type { Mode as Word } from "../api/types";

export function Mode(props: { mode: Word }) {
  return <span class={`mode ${props.mode.toLowerCase()}`}>{props.mode}</span>;
}
