// The picture of causes: lines only where one decision names another, nothing on top of anything, nothing left uncounted.
import { describe, expect, it } from "vitest";
import { type Graph, graph, type Knot } from "../src/sections/graph";

const knot = (id: string, causes: string[] = [], cause_count = causes.length, at = id.charCodeAt(0)): Knot => ({
  id,
  at,
  causes,
  cause_count,
});
const ROOM = { columns: 9, rows: 4 };
const lines = (picture: Graph<Knot>) => picture.lines.map((line) => `${line.from}→${line.to}`).sort();
const column = (picture: Graph<Knot>, id: string) => picture.spots.find((spot) => spot.knot.id === id)?.column;

describe("the picture of causes", () => {
  it("draws two independent causes side by side, not as a chain", () => {
    const picture = graph(knot("h", ["a", "b"]), [knot("a"), knot("b")], [], ROOM);
    expect(lines(picture)).toEqual(["a→h", "b→h"]);
    expect([column(picture, "a"), column(picture, "b"), column(picture, "h")]).toEqual([0, 0, 1]);
    expect(picture.more).toEqual([]);
  });

  it("draws siblings that one decision led to side by side", () => {
    const picture = graph(knot("h"), [], [knot("x", ["h"]), knot("y", ["h"])], ROOM);
    expect(lines(picture)).toEqual(["h→x", "h→y"]);
    expect([column(picture, "x"), column(picture, "y")]).toEqual([1, 1]);
  });

  it("stands each in the column of its longest way from here", () => {
    const picture = graph(knot("h", ["a", "b"]), [knot("a"), knot("b", ["a"])], [], ROOM);
    expect([column(picture, "a"), column(picture, "b"), column(picture, "h")]).toEqual([0, 1, 2]);
    expect(lines(picture)).toEqual(["a→b", "a→h", "b→h"]);
    // The line that passes column 1 has a lane of its own there, apart from the card.
    const past = picture.lines.find((line) => line.from === "a" && line.to === "h");
    const card = picture.spots.find((spot) => spot.knot.id === "b");
    expect(past?.points.length).toBe(3);
    expect(Math.abs((past?.points[1]?.y ?? 0) - (card?.y ?? 0))).toBeGreaterThan(0.5);
  });

  it("draws a line from a cause to a consequence that does not lead through here", () => {
    const picture = graph(knot("h", ["a"]), [knot("a")], [knot("x", ["h", "a"])], ROOM);
    expect(lines(picture)).toEqual(["a→h", "a→x", "h→x"]);
  });

  it("counts direct causes that are not named, whatever led to those that are", () => {
    const picture = graph(knot("h", ["a"], 5), [knot("a", ["p"]), knot("p", ["q"]), knot("q")], [], ROOM);
    expect(picture.more.map(({ column, count, known }) => [column, count, known])).toEqual([[2, 4, false]]);
  });

  it("counts what does not fit, in its place, and can draw it all", () => {
    const causes = Array.from({ length: 8 }, (_, at) => knot(`c${at}`, [], 0, at));
    const here = knot(
      "h",
      causes.map((cause) => cause.id),
    );
    const after = Array.from({ length: 6 }, (_, at) => knot(`x${at}`, ["h"], 1, at));
    const picture = graph(here, causes, after, ROOM);
    expect(picture.spots.length).toBe(9);
    expect(picture.more.map(({ column, count, known }) => [column, count, known])).toEqual([
      [0, 4, true],
      [2, 2, true],
    ]);
    const whole = graph(here, causes, after, { columns: 9, rows: Number.POSITIVE_INFINITY });
    expect([whole.spots.length, whole.more]).toEqual([15, []]);
  });

  it("counts what is too far away", () => {
    const chain = ["a", "b", "c", "d"].map((id, at, ids) => knot(id, at > 0 ? [ids[at - 1] ?? ""] : []));
    const picture = graph(knot("h", ["d"]), chain, [knot("x", ["h"]), knot("y", ["x"])], { columns: 3, rows: 4 });
    expect(picture.spots.map((spot) => spot.knot.id)).toEqual(["d", "h", "x"]);
    expect(picture.more.map((more) => more.count)).toEqual([1, 1]);
  });

  it("names a cause that was forgotten, without a line", () => {
    const picture = graph(knot("h", ["gone"]), [], [], ROOM);
    expect(picture.lines).toEqual([]);
    expect(picture.more.map(({ count, known }) => [count, known])).toEqual([[1, false]]);
  });

  it("ends in a loop", () => {
    const picture = graph(knot("h", ["a"]), [knot("a", ["b"]), knot("b", ["a", "h"])], [], ROOM);
    expect(picture.spots.length).toBe(3);
  });

  it("overlaps nothing, for any graph", () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_664_525 + 1_013_904_223) >>> 0;
      return seed % below;
    };
    for (let round = 0; round < 200; round += 1) {
      const knots: Knot[] = [];
      for (let at = 0; at < 14; at += 1) {
        const causes = knots.filter(() => random(4) === 0).map((there) => there.id);
        knots.push(knot(`k${at}`, causes, causes.length + random(2), at));
      }
      const here = knots[8] as Knot;
      const [before, after] = [knots.slice(0, 8), knots.slice(9).filter((k) => k.causes?.includes(here.id))];
      const picture = graph(here, before, after, { columns: 3 + random(6), rows: 1 + random(5) });
      const stood = [
        ...picture.spots.map(({ column, y }) => ({ column, y, height: 1 })),
        ...picture.more.map(({ column, y }) => ({ column, y, height: 0.5 })),
        ...picture.lines.flatMap((line) => line.points.slice(1, -1).map((point) => ({ ...point, height: 0.35 }))),
      ];
      const wrong = stood.filter(
        (a, at) =>
          a.y - a.height / 2 < -1e-9 ||
          a.y + a.height / 2 > picture.height + 1e-9 ||
          a.column >= picture.columns ||
          stood.some(
            (b, other) => other > at && a.column === b.column && Math.abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-9,
          ),
      );
      expect(wrong).toEqual([]);
      for (const line of picture.lines) {
        const to = knots.find((there) => there.id === line.to);
        expect(to?.causes).toContain(line.from);
      }
    }
  });
});
