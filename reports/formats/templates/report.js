// The explorer, when the page is there.

document.addEventListener("DOMContentLoaded", () => {
  startTheme(document.getElementById("theme"));
  startProblems(readJson("index"), readJson("responses"));
});

