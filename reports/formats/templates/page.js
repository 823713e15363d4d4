// What every page does: the theme, which is set before anything is drawn, and data that stands in the page.

const THEMES = ["auto", "light", "dark"];
const THEME_KEY = "stagelift-theme";

function storedTheme() {
  try {
    const stored = localStorage.getItem(THEME_KEY);
    return THEMES.includes(stored) ? stored : "auto";
  } catch {
    return "auto"; // a browser may refuse storage to a page from disk
  }
}

function storeTheme(theme) {
  try {
    localStorage.setItem(THEME_KEY, theme);
  } catch {
    // it holds for this page then
  }
}

function applyTheme(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

function startTheme(button) {
  let theme = storedTheme();
  const show = () => {
    applyTheme(theme);
    button.textContent = `Theme: ${theme}`;
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    storeTheme(theme);
    show();
  });
  button.hidden = false;
  show();
}

applyTheme(storedTheme());

function readJson(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

