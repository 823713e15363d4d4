// One vote after the other, kept in the browser under the page's digest, exported as a file.

const CHOICES = ["left", "right", "tie"];
const KEYS = {
  1: "left", ArrowLeft: "left",
  2: "right", ArrowRight: "right",
  // arrows up and down scroll
  0: "tie",
};
const FORMAT = "stagelift-votes-1";
// no file of votes is larger
const LARGEST = 20000000;

document.addEventListener("DOMContentLoaded", () => {
  startTheme(document.getElementById("theme"));
  startVoting(readJson("ballot"));
});

function startVoting(ballot) {
  const storageKey = `stagelift-votes-${ballot.page}`;
  const element = (id) => document.getElementById(id);
  let state = restored() || newState();
  let isKept = true;

  function newState() {
    return { voter: randomName(), choices: [] };
  }

  function restored() {
    try {
      const stored = JSON.parse(localStorage.getItem(storageKey));
      return stored && isState(stored) ? stored : null;
    } catch {
      return null; // no storage, or what is stored is none of ours
    }
  }

  function isState(value) {
    return typeof value.voter === "string" && /^[0-9a-f]{16}$/.test(value.voter) &&
      Array.isArray(value.choices) && value.choices.length <= ballot.pairs.length &&
      value.choices.every((choice) => CHOICES.includes(choice));
  }

  function keep() {
    try {
      localStorage.setItem(storageKey, JSON.stringify(state));
      isKept = true;
    } catch {
      isKept = false;
    }
  }

  function vote(choice) {
    if (state.choices.length >= ballot.pairs.length) return;
    state.choices.push(choice);
    keep();
    show();
  }

  function undo() {
    if (!state.choices.length) return;
    state.choices.pop();
    keep();
    show();
  }

  function show() {
    const done = state.choices.length, all = ballot.pairs.length;
    const pair = ballot.pairs[done];
    element("pair").hidden = !pair;
    element("done").hidden = Boolean(pair);
    element("bar").value = done;
    element("count").textContent = pair ? `Pair ${done + 1} of ${all}` : `${all} of ${all}`;
    element("undo").disabled = element("export").disabled = done === 0;
    element("kept").textContent = isKept
      ? "Your votes are kept in this browser: close the page and come back when you like."
      : "This browser keeps nothing for pages from a disk: export your votes before you close the page.";
    if (!pair) return;
    [["prompt", 1], ["left", 2], ["right", 3]].forEach(([id, place]) => fill(element(id), pair[place]));
    scrollTo(0, 0);
  }

  function fill(box, [text, rest]) {
    box.textContent = text || "(empty)";
    box.scrollTop = 0;
    if (!rest) return;
    const note = document.createElement("p");
    note.className = "rest";
    note.textContent = `${rest.toLocaleString("en")} more characters are not shown.`;
    box.append(note);
  }

  function exportVotes() {
    const votes = state.choices.map((choice, place) => ({ pair: ballot.pairs[place][0], choice }));
    const file = { format: FORMAT, page: ballot.page, seed: ballot.seed, voter: state.voter, votes };
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([`${JSON.stringify(file, null, 1)}\n`], { type: "application/json" }));
    link.download = `votes-${ballot.page.slice(0, 8)}-${state.voter.slice(0, 8)}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }

  async function importVotes(file) {
    say("");
    try {
      const read = readVotes(file.size > LARGEST ? "" : await file.text());
      if (!confirmed(read.choices.length)) return;
      state = read;
    } catch (error) {
      say(error.message);
      return;
    }
    keep();
    show();
  }

  function readVotes(text) {
    let file = null;
    try {
      file = JSON.parse(text);
    } catch {
      // as any other file
    }
    if (!file || file.format !== FORMAT || !Array.isArray(file.votes)) {
      throw new Error("That is no file of votes. Choose one that this page exported.");
    }
    if (file.page !== ballot.page) {
      throw new Error("Those are votes on another page. Choose a file that this page exported.");
    }
    const read = { voter: file.voter, choices: file.votes.map((vote) => vote && vote.choice) };
    const fits = file.votes.every((vote, place) => vote && vote.pair === (ballot.pairs[place] || [])[0]);
    if (!fits || !isState(read)) {
      throw new Error("That file was changed after it was exported. Choose one as it was exported.");
    }
    return read;
  }

  function confirmed(count) {
    const mine = state.choices.length;
    return !mine || window.confirm(`Replace the ${mine} votes on this page by the ${count} in the file?`);
  }

  function anotherVoter() {
    const question = "Start from the first pair as another voter? Votes that are not exported are lost.";
    if (state.choices.length && !window.confirm(question)) return;
    state = newState();
    keep();
    show();
  }

  function say(problem) {
    element("problem").textContent = problem;
    element("problem").hidden = !problem;
  }

  document.querySelectorAll("[data-choice]").forEach((button) => {
    button.addEventListener("click", () => vote(button.dataset.choice));
  });
  element("undo").addEventListener("click", undo);
  element("export").addEventListener("click", exportVotes);
  element("other").addEventListener("click", anotherVoter);
  element("import").addEventListener("change", (event) => {
    if (event.target.files.length) importVotes(event.target.files[0]);
    event.target.value = "";
  });
  document.addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "u" || event.key === "Backspace") undo();
    else if (event.key in KEYS) vote(KEYS[event.key]);
    else return;
    event.preventDefault();
  });
  // another tab with this page
  window.addEventListener("storage", (event) => {
    if (event.key !== storageKey) return;
    state = restored() || newState();
    show();
  });
  keep();
  show();
}

function randomName() {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
