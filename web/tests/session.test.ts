// Who sees the page, and what everybody else sees instead.
import { describe, expect, it } from "vitest";
import type { Session } from "../src/api/types";
import { failure, screen } from "../src/live/session";

const session = (more: Partial<Session>): Session => ({
  sign_in: "token",
  let_in: false,
  may_switch: false,
  may_see_nodes: false,
  ...more,
});

describe("the door", () => {
  it("is open to whoever is let in, and where nobody signs in", () => {
    expect(screen(session({ user: "ada", let_in: true }))).toBe("page");
    expect(screen(session({ sign_in: "none", let_in: true }))).toBe("page");
  });

  it("shows everybody else how people sign in here", () => {
    for (const way of ["token", "oidc", "proxy"] as const) expect(screen(session({ sign_in: way }))).toBe(way);
  });

  it("tells those who are known and not let in", () => {
    for (const way of ["token", "oidc", "proxy"] as const)
      expect(screen(session({ sign_in: way, user: "bob" }))).toBe("stranger");
  });

  it("leaves it to what is asked next when nobody can say who is signed in", () => {
    expect(screen(undefined)).toBe("page");
  });
});

describe("a sign-in that came back", () => {
  it("says in words why it did not succeed", () => {
    expect(failure("")).toBe("");
    expect(failure("?q=cart")).toBe("");
    expect(failure("?sign-in=refused")).toContain("did not sign you in");
    expect(failure("?sign-in=unavailable")).toContain("does not answer");
    expect(failure("?sign-in=%3Cb%3E")).not.toContain("<");
  });
});
