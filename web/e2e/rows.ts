// What a test measures, for people who read along and, with KEELSON_ROWS, for `cargo xtask bench page`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

type Row = { what: string; value: number; unit: string; goal: number; how: string };

const file = process.env.KEELSON_ROWS;

/** How often something is measured: others use the machine too, and the best of some rounds is what the page needs. A test
 * measures once, and judges nothing by the clock. */
export const rounds = (most: number) => (file ? most : 1);

/** Less is better in all of them. */
export function measured(row: Row): void {
  const met = row.value <= row.goal;
  console.log(
    `${row.what}: ${row.value.toFixed(1)} ${row.unit}, goal ≤ ${row.goal} ${met ? "met" : "MISSED"} (${row.how})`,
  );
  if (!file) return;
  const before: unknown[] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const peer = { peer: null, peer_value: null };
  writeFileSync(file, JSON.stringify([...before, { ...row, better: "lower", met, ...peer }]));
}
