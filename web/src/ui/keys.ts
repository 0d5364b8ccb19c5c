// Whether single keys do something: who dictates, or presses keys by accident, turns them off (WCAG 2.1.4).
import { createSignal } from "solid-js";

const KEY = "keelson.keys";

const stored = (): boolean => {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
};

const [singleKeys, set] = createSignal(stored());

export { singleKeys };

export function setSingleKeys(on: boolean): void {
  set(on);
  try {
    localStorage.setItem(KEY, on ? "on" : "off");
  } catch {
    // It then lasts as long as this page.
  }
}
