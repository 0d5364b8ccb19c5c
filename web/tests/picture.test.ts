// In pixels: side by side or below each other, cards keep apart and inside, and lines begin and end at cards.
import { expect, it } from "vitest";
import { graph, type Knot } from "../src/sections/graph";
import { columnsAt, picture } from "../src/sections/picture";

const knot = (id: string, causes: string[] = []): Knot => ({ id, at: 1, causes, cause_count: causes.length });

it.each([340, 640, 900, 1_180, 1_500])("fits %d pixels", (width) => {
  const causes = [
    knot("a"),
    knot("b"),
    knot("c", ["a", "b"]),
    knot("d", ["c"]),
    ...[1, 2, 3, 4, 5].map((n) => knot(`m${n}`)),
  ];
  const here = knot("h", ["a", "c", "d", ...causes.slice(4).map((cause) => cause.id)]);
  const after = [knot("x", ["h"]), knot("y", ["h", "x"])];
  const drawn = picture(graph(here, causes, after, { columns: columnsAt(width), rows: 4 }), width);
  const boxes = [...drawn.cards, ...drawn.more];
  for (const [at, a] of boxes.entries()) {
    expect(a.x).toBeGreaterThanOrEqual(0);
    expect(a.x + a.width).toBeLessThanOrEqual(width);
    expect(a.y).toBeGreaterThanOrEqual(0);
    expect(a.y + a.height).toBeLessThanOrEqual(drawn.height + 0.5);
    for (const b of boxes.slice(at + 1)) {
      const apart = a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y;
      expect(apart).toBe(true);
    }
  }
  for (const line of drawn.lines) {
    const [from, to] = [line.from, line.to].map((id) => drawn.cards.find((card) => card.knot.id === id));
    const [x = 0, y = 0] = line.path.slice(1).split(/[C ]/).map(Number);
    expect([from?.x, (from?.x ?? 0) + (from?.width ?? 0)]).toContain(x);
    expect(Math.abs(y - ((from?.y ?? 0) + (from?.height ?? 0) / 2))).toBeLessThan(10);
    expect(line.path).not.toContain("NaN");
    expect(to).toBeDefined();
  }
});
