// Light, dark, or as the system has it; remembered in this browser.
import { createSignal } from "solid-js";

type Theme = "system" | "light" | "dark";
const KEY = "keelson.theme";

const stored = (): Theme => {
  try {
    const theme = localStorage.getItem(KEY);
    return theme === "light" || theme === "dark" ? theme : "system";
  } catch {
    return "system";
  }
};

const [theme, setTheme] = createSignal<Theme>(stored());

function choose(next: Theme): void {
  setTheme(next);
  if (next === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // It then lasts as long as this page.
  }
}

export function ThemeSwitch() {
  return (
    <label class="theme">
      <span>Theme</span>
      <select value={theme()} onChange={(event) => choose(event.currentTarget.value as Theme)}>
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
