// The explorer, when the page is there; and what is folded away opens for a link and for paper.

document.addEventListener("DOMContentLoaded", () => {
  startTheme(document.getElementById("theme"));
  openTarget();
  addEventListener("hashchange", openTarget);
  startPrinting();
  startProblems(readJson("index"), readJson("responses"));
});

// Not every browser does this by itself; a link is anyone's text, so it is only looked for.
function openTarget() {
  const target = document.getElementById(location.hash.slice(1).split("&")[0]);
  const fold = target?.closest("details.fold");
  if (!fold || fold.open) return;
  fold.open = true;
  target.scrollIntoView();
}

function startPrinting() {
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details.fold:not([open])")];
    for (const fold of closed) fold.open = true;
  });
  addEventListener("afterprint", () => {
    for (const fold of closed) fold.open = false;
  });
}
