// The nodes after a change: all of them anew, or those that differ.
import type { NodesChange, NodeView } from "../api/types";

export function merge(before: ReadonlyMap<string, NodeView>, change: NodesChange): ReadonlyMap<string, NodeView> {
  const after = change.full ? new Map<string, NodeView>() : new Map(before);
  for (const node of change.nodes) after.set(node.name, node);
  for (const name of change.removed) after.delete(name);
  return after;
}
