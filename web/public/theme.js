// Sets the chosen theme before the first paint, so that a dark page does not flash light.
try {
  const theme = localStorage.getItem("keelson.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is used.
}
