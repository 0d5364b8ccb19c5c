// The filters of the list of decisions, kept in the URL; a decision that just happened is matched as the server would.
import { outcomeValues, reasonValues, verbValues } from "../api/schema";

export const FILTERS = [
  "feature",
  "verb",
  "reason",
  "outcome",
  "kind",
  "namespace",
  "name",
  "q",
  "since",
  "until",
] as const;
export type Filters = Partial<Record<(typeof FILTERS)[number], string>>;

/** What a filter may be, where the list is closed: the words of the API itself. */
export const CHOICES: Partial<Record<keyof Filters, readonly string[]>> = {
  verb: verbValues,
  reason: reasonValues,
  outcome: outcomeValues,
};

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
  chosen?: string;
  at: number;
  last_at: number;
  subject: { kind: string; namespace?: string; name: string };
};

/** Whether a decision that just happened belongs in the list: the rule of the store's `Filter::matches`. */
export function matches(filters: Filters, row: Row): boolean {
  const same = (wanted: string | undefined, there: string) => !wanted || wanted === there;
  const since = moment(filters.since);
  const until = moment(filters.until);
  return (
    same(filters.feature, row.feature) &&
    same(filters.verb, row.verb) &&
    same(filters.reason, row.reason) &&
    same(filters.outcome, row.outcome) &&
    same(filters.kind, row.subject.kind) &&
    same(filters.namespace, row.subject.namespace ?? "") &&
    same(filters.name, row.subject.name) &&
    (since === undefined || row.last_at >= since) &&
    (until === undefined || row.at < until) &&
    (!filters.q || searched(row).includes(filters.q.toLowerCase()))
  );
}

/** What the text filter looks into: the subject with its kind, the sentence, and what was chosen. */
function searched({ subject, sentence, chosen }: Row): string {
  const object = subject.namespace ? `${subject.namespace}/${subject.name}` : subject.name;
  return `${subject.kind} ${object} ${sentence} ${chosen ?? ""}`.toLowerCase();
}

/** A moment in microseconds since 1970, from that number or from RFC 3339; none when it is neither. */
export function moment(text: string | undefined): number | undefined {
  if (!text) return undefined;
  const read = /^\d+$/.test(text) ? Number(text) : Date.parse(text) * 1_000;
  return Number.isFinite(read) ? read : undefined;
}

/** A moment as the field of a form has it, in UTC; empty when there is none. */
export function toField(text: string | undefined): string {
  const at = moment(text);
  return at === undefined ? "" : new Date(at / 1_000).toISOString().slice(0, 19);
}

/** What a field of a form says, as the API reads it. */
export function fromField(text: string): string {
  if (!text) return "";
  return `${text.length === 16 ? `${text}:00` : text}Z`;
}
