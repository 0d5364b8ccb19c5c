// Where the person is: the URL is the only state of navigation.
import { createSignal } from "solid-js";

export type Place = { section: string; rest: string[]; query: URLSearchParams };

/** A part of a path as a person would read it. One that was cut or mistyped stays as it is: it is no reason to stop. */
export function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const read = (): Place => {
  const [section = "", ...rest] = location.pathname.split("/").filter(Boolean).map(decode);
  return { section, rest, query: new URLSearchParams(location.search) };
};

const [place, setPlace] = createSignal<Place>(read());

export { place };

addEventListener("popstate", () => setPlace(read()));

/** The decision that a place is about: /decision/ID/, or /decisions/ID as the API has it. */
export const decision = ({ section, rest }: Place): string | undefined =>
  section === "decision" || section === "decisions" ? rest[0] : undefined;

/** Goes to another place. `staying` where the person is in the middle of something, as in a form: nothing moves. */
export function go(path: string, staying = false): void {
  if (path === location.pathname + location.search) return;
  history.pushState(null, "", path);
  setPlace(read());
  if (staying) return;
  scrollTo(0, 0);
  // A reader of the screen hears where it came to.
  queueMicrotask(() => document.getElementById("main")?.focus({ preventScroll: true }));
}

/** Lets plain links of this page change the place without loading it anew. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = (event.target as Element).closest?.("a");
  if (!link || link.target || link.origin !== location.origin || link.hasAttribute("download")) return;
  // What the API answers is no place of the page.
  if (link.pathname.startsWith("/api/")) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

/** A path of this page. It ends in a slash, because names may have dots and a last part with a dot is a file's. */
export const path = (...segments: string[]): string => `/${segments.map(encodeURIComponent).join("/")}/`;
