// Cuts a sentence at the names that appear in it; joined again it is the same sentence. Words such as `3 nodes: a, b and
// c`, which stand for several candidates, are no name.
export function split(sentence: string, names: readonly string[]): string[] {
  const known = [...new Set(names.filter((name) => name.length > 2 && !name.includes(" ")))].sort(
    (a, b) => b.length - a.length,
  );
  if (known.length === 0) return [sentence];
  const escaped = known.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return sentence.split(new RegExp(`(${escaped.join("|")})`)).filter(Boolean);
}
