// Who is signed in, and what stands in the page's place while nobody is.
//
// Whoever signs in or out begins with a page that knows nothing: what another person was shown stays nowhere.
import { createSignal } from "solid-js";
import { ApiError, get, post, remove } from "../api/client";
import type { Session } from "../api/types";

const [session, setSession] = createSignal<Session>();
const [asked, setAsked] = createSignal(false);

export { asked, session };

/** Asks who is signed in. A server that cannot say leaves that to what is asked of it next. */
export async function look(): Promise<void> {
  await get<Session>("session").then(setSession, () => {});
  setAsked(true);
}

/** Signs in with a token; otherwise says why not. */
export async function signIn(token: string): Promise<string> {
  try {
    await post<Session>("session", { token: token.trim() });
  } catch (error) {
    return error instanceof ApiError ? `${sentence(error.message)} ${error.fix}`.trim() : String(error);
  }
  location.reload();
  return "";
}

export async function signOut(): Promise<void> {
  await remove("session").catch(() => {});
  location.assign("/");
}

/** What is shown: the page, a way to sign in, or that a person who is known is not let in. */
export type Screen = "page" | "token" | "oidc" | "proxy" | "stranger";

export function screen(session: Session | undefined): Screen {
  if (!session || session.let_in || session.sign_in === "none") return "page";
  return session.user ? "stranger" : session.sign_in;
}

/** What the address says of a sign-in that came back without success. */
export function failure(query: string): string {
  const why = new URLSearchParams(query).get("sign-in");
  if (why === "unavailable") return "The identity provider does not answer. Try again in a moment.";
  return why ? "The identity provider did not sign you in, or took too long. Try again." : "";
}

const sentence = (text: string): string =>
  `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
