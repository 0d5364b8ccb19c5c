// What a test measures, for people who read along and, with KEELSON_ROWS, for `cargo xtask bench page`.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

type Row = { what: string; value: number; unit: string; goal: number; how: string };

/** Less is better in all of them. */
export function measured(row: Row): void {
  const met = row.value <= row.goal;
  console.log(
    `${row.what}: ${row.value.toFixed(1)} ${row.unit}, goal ≤ ${row.goal} ${met ? "met" : "MISSED"} (${row.how})`,
  );
  const file = process.env.KEELSON_ROWS;
  if (!file) return;
  const before: unknown[] = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : [];
  const peer = { peer: null, peer_value: null };
  writeFileSync(file, JSON.stringify([...before, { ...row, better: "lower", met, ...peer }]));
}
