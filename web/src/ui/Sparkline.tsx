// A figure over the last hour, as a line without axes.
import { createMemo } from "solid-js";

type Point = { at: number; value: number };

export function line(points: readonly Point[], width: number, height: number): string {
  const top = Math.max(1, ...points.map((point) => point.value));
  const step = points.length > 1 ? width / (points.length - 1) : 0;
  const y = (value: number) => (height - 2 - (value / top) * (height - 4)).toFixed(1);
  return points.map((point, at) => `${at ? "L" : "M"}${(at * step).toFixed(1)} ${y(point.value)}`).join("");
}

export function Sparkline(props: { points: readonly Point[]; label: string }) {
  const path = createMemo(() => line(props.points, 200, 34));
  return (
    <svg class="spark" viewBox="0 0 200 34" preserveAspectRatio="none" role="img" aria-label={props.label}>
      <path class="spark-fill" d={`${path()}L200 34L0 34Z`} />
      <path class="spark-line" d={path()} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
