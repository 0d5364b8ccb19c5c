// A decision for tests: what they say nothing about is ordinary.
import type { Decision } from "../src/api/types";

export const decision = (id: string, at: number, name: string, more: Partial<Decision> = {}): Decision =>
  ({
    id,
    at,
    last_at: at,
    feature: "scheduling",
    subject: { kind: "Pod", namespace: "shop", name },
    causes: [],
    cause_count: 0,
    outcome: "Pending",
    verb: "Place",
    reason: "PodPlaced",
    sentence: name,
    count: 1,
    ...more,
  }) as unknown as Decision;
