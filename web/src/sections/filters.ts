// The filters of the list of decisions, kept in the URL.
export const FILTERS = ["feature", "verb", "reason", "outcome", "kind", "namespace", "name", "q"] as const;
export type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

export function read(query: URLSearchParams): Filters {
  const filters: Filters = {};
  for (const name of FILTERS) {
    const value = query.get(name)?.trim();
    if (value) filters[name] = value.slice(0, 253);
  }
  return filters;
}

/** The filters as a query string, in a fixed order, without what is empty. */
export function write(filters: Filters, more: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = filters[name]?.trim();
    if (value) query.set(name, value);
  }
  for (const [name, value] of Object.entries(more)) query.set(name, value);
  const text = query.toString();
  return text ? `?${text}` : "";
}

type Row = {
  feature: string;
  verb: string;
  reason: string;
  outcome: string;
  sentence: string;
  subject: { kind: string; namespace?: string; name: string };
};

/** Whether a decision that just happened belongs in the list. */
export function matches(filters: Filters, row: Row): boolean {
  const same = (wanted: string | undefined, there: string) => !wanted || wanted === there;
  return (
    same(filters.feature, row.feature) &&
    same(filters.verb, row.verb) &&
    same(filters.reason, row.reason) &&
    same(filters.outcome, row.outcome) &&
    same(filters.kind, row.subject.kind) &&
    same(filters.namespace, row.subject.namespace ?? "") &&
    same(filters.name, row.subject.name) &&
    (!filters.q || row.sentence.toLowerCase().includes(filters.q.toLowerCase()))
  );
}
