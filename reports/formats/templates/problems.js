// The problems explorer: rows of the index, filtered; what models wrote is parsed when a row is opened or searched.

const ROWS_AT_ONCE = 100;
const TYPING_MS = 150;
const SLICE_MS = 40; // of work between two pauses, so that the page stays responsive
const OUTCOMES = {
  c: { symbol: "✓", text: "correct", style: "good" },
  w: { symbol: "✗", text: "wrong", style: "bad" },
  t: { symbol: "✂", text: "truncated", style: "warn" },
  u: { symbol: "?", text: "unparsed", style: "warn" },
  l: { symbol: "↻", text: "looping", style: "warn" },
  n: { symbol: "–", text: "not scored", style: "none" },
  "-": { symbol: "", text: "not asked", style: "none" },
};
const VERDICTS = {
  w: { symbol: "▲", text: "won", style: "good" },
  t: { symbol: "=", text: "tied", style: "none" },
  l: { symbol: "▼", text: "lost", style: "bad" },
  n: { symbol: "–", text: "no verdict", style: "none" },
};
const NOT_MEASURED = "not measured";

function startProblems(index, place) {
  const view = {
    index,
    responses: openResponses(index, place),
    form: document.getElementById("filters"),
    list: document.getElementById("list"),
    runs: runsOf(index), // the stages of each run, as numbers
    more: document.getElementById("more"),
    found: [], // numbers of the problems that pass the filters
    shown: 0, // how many of them have a row
    lower: null, // what a search looks at in the index, per problem
    words: "", // searched for, in lower case
    search: 0, // which search is the latest
  };
  document.getElementById("rows").classList.toggle("many-stages", view.runs.length > 1 || index.stages.length > 5);
  showColumns(index);
  view.list.addEventListener("toggle", (event) => fillRow(view, event.target), true); // toggle does not bubble
  startMore(view);
  startFilters(view);
  view.form.hidden = false;
  document.getElementById("rows").hidden = false;
  readHash(view);
  filter(view);
}

// Responses

function openResponses(index, place) {
  return {
    index,
    place,
    texts: new Map(), // JSON of a chunk, where it came from a file
    parsed: new Map(), // promises of chunks
    lower: [], // responses of a problem in lower case, for searches
    loading: null,
  };
}

// Promises are kept, not results: rows opened together wait for one reading.
function chunkOf(responses, number) {
  if (!responses.parsed.has(number)) {
    const parsed = readChunk(responses, number);
    parsed.catch(() => responses.parsed.delete(number)); // the file may be there at the next try
    responses.parsed.set(number, parsed);
  }
  return responses.parsed.get(number);
}

async function readChunk(responses, number) {
  if (!responses.place.file) return JSON.parse(document.getElementById(`responses-${number}`).textContent);
  responses.loading ??= loadFile(responses);
  try {
    await responses.loading;
  } catch (error) {
    responses.loading = null;
    throw error;
  }
  return JSON.parse(responses.texts.get(number));
}

async function responsesTo(responses, problem) {
  const size = responses.index.chunk;
  return (await chunkOf(responses, Math.floor(problem / size)))[problem % size];
}

function loadFile(responses) {
  const { file, key, chunks } = responses.place;
  // what the file calls, once per chunk
  window.stageliftResponses = (itsKey, number, text) => {
    if (itsKey === key) responses.texts.set(number, text);
  };
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = `./${encodeURIComponent(file)}`;
    script.addEventListener("error", () =>
      reject(new Error(`The responses are in the file ${file}, which must lie beside this page. It could not be read.`)));
    script.addEventListener("load", () => {
      if (responses.texts.size === chunks) resolve();
      else reject(new Error(`The file ${file} beside this page belongs to another report. Put back the one made with it.`));
    });
    document.head.append(script);
  });
}

// Filters

function startFilters(view) {
  let timer = 0;
  const later = () => {
    clearTimeout(timer);
    timer = setTimeout(() => changed(view), TYPING_MS);
  };
  view.form.addEventListener("input", (event) => (event.target.name === "text" ? later() : changed(view)));
  view.form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    view.form.reset();
    changed(view);
  });
  window.addEventListener("hashchange", () => {
    if (readHash(view)) filter(view);
  });
}

function changed(view) {
  filter(view);
  writeHash(view);
}

async function filter(view) {
  const search = ++view.search;
  const wanted = chosen(view.form);
  view.words = (wanted.text ?? "").toLowerCase().trim();
  showError("");
  const passes = await textTest(view, wanted.responses, () => search !== view.search);
  if (search !== view.search) return; // a newer one has begun
  const tests = [...fieldTests(view.index, wanted), passes];
  view.found = view.index.ids.flatMap((_, problem) => (tests.every((test) => test(problem)) ? [problem] : []));
  showCount(view);
  document.getElementById("clear").disabled = Object.keys(wanted).length === 0;
  view.list.replaceChildren();
  view.shown = 0;
  document.getElementById("rows").scrollTop = 0;
  showMore(view);
}

// What the form asks for, by name; a choice of a stage counts only with what it belongs to.
function chosen(form) {
  const values = Object.fromEntries([...new FormData(form)].filter(([, value]) => value));
  for (const name of ["change", "outcome", "verdict"]) if (!values[name]) delete values[`${name}-at`];
  if (!values.text?.trim()) delete values.text;
  if (!values.text) delete values.responses;
  return values;
}

function fieldTests(index, wanted) {
  const tests = [];
  const stage = (name) => (wanted[name] ? index.stages.findIndex((one) => one.name === wanted[name]) : 0);
  if (wanted.group) {
    const group = String(index.groups.indexOf(wanted.group));
    tests.push((problem) => index.group[problem] === group);
  }
  if (wanted.change) {
    const at = stage("change-at");
    tests.push((problem) => changeAt(index, at, problem) === wanted.change);
  }
  if (wanted.outcome) {
    const outcomes = index.outcomes[stage("outcome-at")];
    tests.push((problem) => OUTCOMES[outcomes[problem]].text === wanted.outcome);
  }
  if (wanted.verdict) {
    const verdicts = verdictsNamed(index, wanted["verdict-at"]);
    tests.push((problem) => VERDICTS[verdicts[problem]]?.text === wanted.verdict);
  }
  return tests;
}

// What a stage did to a problem; nothing where one of the two was not scored.
function changeAt(index, stage, problem) {
  const previous = index.stages[stage].previous;
  if (previous === null) return "";
  const before = index.outcomes[previous][problem];
  const now = index.outcomes[stage][problem];
  if ("n-".includes(before) || "n-".includes(now)) return "";
  if (before === "c") return now === "c" ? "still right" : "broken";
  return now === "c" ? "fixed" : "still wrong";
}

function verdictsNamed(index, name) {
  for (const [place, stage] of index.stages.entries()) {
    for (const [other, letters] of Object.entries(index.verdicts[place])) {
      if (`${stage.name} against ${other}` === name) return letters;
    }
  }
  return "";
}

async function textTest(view, alsoInResponses, isStale) {
  if (!view.words) return () => true;
  const { index, responses, words } = view;
  view.lower ??= index.ids.map((id, at) => `${id}\n${index.questions[at]}\n${index.targets[at] ?? ""}`.toLowerCase());
  const inIndex = (problem) => view.lower[problem].includes(words);
  if (!alsoInResponses) return inIndex;
  try {
    await lowerResponses(responses, isStale);
  } catch (error) {
    showError(`${error.message} Only ids, questions and targets were searched.`);
    return inIndex;
  }
  return (problem) => inIndex(problem) || responses.lower[problem].includes(words);
}

// Two searches may do this at once; both write the same, so neither is in the other's way.
async function lowerResponses(responses, isStale) {
  const { ids, chunk: size } = responses.index;
  const total = ids.length;
  if (responses.lower.length === 0) showStatus("Loading responses…");
  let paused = performance.now();
  while (responses.lower.length < total && !isStale()) {
    const number = responses.lower.length / size; // whole: a chunk is added at once
    for (const [at, stages] of (await chunkOf(responses, number)).entries()) {
      responses.lower[number * size + at] = stages.map((one) => one?.[0] ?? "").join("\n").toLowerCase();
    }
    if (performance.now() - paused > SLICE_MS) {
      showStatus(`Reading responses… ${Math.floor((100 * responses.lower.length) / total)}%`);
      await new Promise((resolve) => setTimeout(resolve));
      paused = performance.now();
    }
  }
}

function showCount(view) {
  const all = view.index.ids.length;
  const found = view.found.length;
  showStatus(`${found.toLocaleString("en")} of ${all.toLocaleString("en")} ${all === 1 ? "problem" : "problems"}`);
}

function showStatus(text) {
  document.getElementById("count").textContent = text;
}

function showError(text) {
  const error = document.getElementById("problems-error");
  error.textContent = text;
  error.hidden = !text;
}

// The link: #problems&group=test&change=fixed&change-at=sft

function writeHash(view) {
  const wanted = new URLSearchParams(chosen(view.form)).toString();
  history.replaceState(null, "", wanted ? `#problems&${wanted}` : "#problems");
}

// Sets the form to what a link asks for; a link is anyone's text, so only what the form offers is taken from it.
function readHash(view) {
  if (!location.hash.startsWith("#problems&")) return false;
  const wanted = new URLSearchParams(location.hash.slice("#problems&".length));
  view.form.reset();
  for (const field of view.form.elements) {
    if (field.name && wanted.has(field.name)) setField(field, wanted.get(field.name));
  }
  document.getElementById("problems").scrollIntoView();
  return true;
}

function setField(field, value) {
  if (field.type === "checkbox") field.checked = value === "on";
  else if (field.tagName === "INPUT") field.value = value.slice(0, field.maxLength);
  else if ([...field.options].some((option) => option.value === value)) field.value = value;
}

// Rows

function startMore(view) {
  view.more.addEventListener("click", () => {
    const next = view.shown;
    showMore(view);
    view.list.children[next]?.firstElementChild.focus(); // or a keyboard would be left at the end of the list
  });
  const root = document.getElementById("rows");
  const near = new IntersectionObserver(
    (entries) => {
      if (entries.some((entry) => entry.isIntersecting)) showMore(view);
    },
    { root, rootMargin: "600px" },
  );
  near.observe(view.more);
}

function showMore(view) {
  const next = view.found.slice(view.shown, view.shown + ROWS_AT_ONCE);
  view.list.append(...next.map((problem) => row(view, problem)));
  view.shown += next.length;
  const left = view.found.length - view.shown;
  view.more.hidden = left === 0;
  view.more.textContent = `Show more (${left.toLocaleString("en")} left)`;
}

function showColumns(index) {
  const columns = document.getElementById("columns");
  const measured = index.lengths.flat().some((length) => length !== null);
  const unit = measured ? { tokens: "tokens", characters: "chars" }[index.unit] : "";
  const heads = index.stages.map(({ name }) => element("span", "head", titled("span", "name", name), element("span", "unit", unit)));
  const about = ` with the outcome${measured ? ` and length in ${index.unit}` : ""} of each stage`;
  columns.append(element("span", "", "Problem", element("span", "long", about)), element("span", "path", element("span", "line", ...heads)));
  document.getElementById("rows").style.setProperty("--stages", String(index.stages.length));
}

function runsOf(index) {
  const runs = new Map();
  for (const [place, stage] of index.stages.entries()) runs.set(stage.run, [...(runs.get(stage.run) ?? []), place]);
  return [...runs.values()];
}

function row(view, problem) {
  const { index, words } = view;
  const made = element("details", "row");
  const question = element("span", "question", ...marked(index.questions[problem], words));
  question.dir = "auto";
  const about = element("span", "about", ...marked(index.ids[problem], words));
  if (index.groups.length > 1) about.append(" ", element("span", "group", groupOf(index, problem)));
  const path = element("span", "path", ...view.runs.map((stages) => line(view, stages, problem)));
  made.append(element("summary", "", element("span", "asked", question, about), path));
  made.dataset.problem = String(problem);
  return made;
}

// A problem's path through one run.
function line(view, stages, problem) {
  const steps = stages.map((stage) => step(view.index, stage, problem));
  if (view.runs.length === 1) return element("span", "line", ...steps);
  return element("span", "line", titled("span", "run", view.index.stages[stages[0]].run), " ", ...steps);
}

// One stage of it: its outcome, or where nothing was scored the judge's verdict; and the length.
function step(index, stage, problem) {
  const chip = outcomeChip(index, stage, problem);
  chip.prepend(element("span", "stage", `${index.stages[stage].stage} `));
  const length = index.lengths[stage][problem];
  if (length !== null) chip.append(element("span", "length", ` ${length.toLocaleString("en")}`, element("span", "unit", ` ${index.unit}`)));
  return chip;
}

function outcomeChip(index, stage, problem) {
  const outcome = index.outcomes[stage][problem];
  const [against, letters] = Object.entries(index.verdicts[stage])[0] ?? ["", ""];
  const verdict = outcome === "n" ? VERDICTS[letters[problem]] : undefined;
  if (!verdict) return chipOf(OUTCOMES[outcome]);
  const chip = chipOf(verdict);
  chip.title = `the judge's verdict against ${against}`;
  return chip;
}

function chipOf({ symbol, text, style }) {
  const sign = element("span", "symbol", symbol);
  sign.setAttribute("aria-hidden", "true");
  return element("span", `chip ${style}`, sign, " ", text);
}

function groupOf(index, problem) {
  return index.groups[Number(index.group[problem])];
}

// An opened row

async function fillRow(view, row) {
  if (!row.open || row.childElementCount > 1) return;
  const { index, words } = view;
  const problem = Number(row.dataset.problem);
  const body = element("div", "body", element("p", "loading", "Loading responses…"));
  row.append(body);
  try {
    const stages = await responsesTo(view.responses, problem);
    const runs = view.runs.map((run) => cards(index, problem, run, stages, words));
    body.replaceChildren(asked(index, problem, words), ...runs.filter((cards) => cards.childElementCount > 0));
  } catch (error) {
    body.replaceChildren(element("p", "error", error.message));
    row.addEventListener("toggle", () => body.remove(), { once: true }); // closed and opened again, it tries again
  }
}

function asked(index, problem, words) {
  const question = modelText("p", "question", index.questions[problem], words);
  const target = index.targets[problem];
  if (target === null) return question;
  return element("div", "", question, element("p", "target", "Target: ", modelText("span", "", target, words)));
}

// One run's responses, side by side.
function cards(index, problem, run, stages, words) {
  const asked = run.filter((stage) => stages[stage]);
  const made = asked.map((stage) => card(index, problem, stage, stages[stage], stages, words));
  const region = element("div", "cards", ...made);
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", `Responses of ${index.stages[run[0]].run}, stage by stage`);
  return region;
}

function samplesText([count, correct, beside]) {
  if (beside) return `${correct} of ${count} drawn at temperature 1 correct`;
  return `the first of ${count}, of which ${correct} correct`;
}

function card(index, problem, stage, response, stages, words) {
  const [text, finish, answers, verdicts, samples] = response;
  const heading = element("h3", "", index.stages[stage].name, " ");
  const change = changeAt(index, stage, problem);
  heading.append(outcomeChip(index, stage, problem));
  if (change === "fixed" || change === "broken") heading.append(" ", element("span", `change ${change}`, change));
  const facts = [
    ...answerFacts(answers),
    ["length", lengthText(index, stage, problem)],
    ["ended", { stop: "by itself", length: "cut off at the limit" }[finish] ?? NOT_MEASURED],
    ...(samples ? [["samples", samplesText(samples)]] : []),
    ...verdicts.map(verdictFact),
  ];
  const list = element("dl", "facts", ...facts.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
  return element("article", "card", heading, list, responseText(index, stage, text, stages, words));
}

// Strict and flexible readings are told where they differ from the numeric one.
function answerFacts(answers) {
  return Object.entries(answers)
    .filter(([name, answer]) => name === "answer" || answer !== answers.answer)
    .map(([name, answer]) => [name, answer === null ? "none could be read" : modelText("span", "", answer, "")]);
}

function lengthText(index, stage, problem) {
  const length = index.lengths[stage][problem];
  if (length === null) return NOT_MEASURED;
  const text = `${length.toLocaleString("en")} ${length === 1 ? index.unit.slice(0, -1) : index.unit}`;
  const previous = index.stages[stage].previous;
  const before = previous === null ? null : index.lengths[previous][problem];
  return before === null ? text : `${text} (${signed(length - before)})`;
}

function signed(number) {
  if (number === 0) return "±0";
  return (number < 0 ? "−" : "+") + Math.abs(number).toLocaleString("en");
}

function verdictFact([against, score, orders, reason]) {
  const { symbol, text, style } = VERDICTS[score === null ? "n" : score > 0.5 ? "w" : score < 0.5 ? "l" : "t"];
  const value = element("span", `verdict ${style}`, `${symbol} ${text}`);
  return [`against ${against}`, element("span", "", value, scoreText(score, orders), " · ", modelText("span", "reason", reason, ""))];
}

// The two orders are told where the judge's verdict hung on them.
function scoreText(score, orders) {
  if (score === null) return "";
  if (!orders || orders[0] === orders[1]) return ` ${score}`;
  const [first, second] = orders.map((order) => order ?? "no verdict");
  return ` ${score} (shown first ${first}, second ${second})`;
}

function responseText(index, stage, text, stages, words) {
  if (text === null) return element("p", "note", `the response was ${NOT_MEASURED}`);
  if (text === "") return element("p", "note", "(empty response)");
  const previous = index.stages[stage].previous;
  const same = previous !== null && stages[previous]?.[0] === text;
  const response = modelText("pre", "response", text, words);
  return same ? element("div", "same", element("p", "note", `the same text as ${index.stages[previous].name}`), response) : response;
}

// Elements; text only ever becomes text nodes

// For names that may be cut.
function titled(tag, className, text) {
  const made = element(tag, className, text);
  made.title = text;
  return made;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function modelText(tag, className, text, words) {
  const made = element(tag, className, ...marked(text, words));
  made.dir = "auto";
  return made;
}

// The text with what was searched for in mark elements.
function marked(text, words) {
  const lower = words ? text.toLowerCase() : "";
  if (!words || lower.length !== text.length) return [text]; // a few letters change length in lower case
  const parts = [];
  let end = 0;
  for (let at = lower.indexOf(words); at >= 0; at = lower.indexOf(words, end)) {
    parts.push(text.slice(end, at), element("mark", "", text.slice(at, at + words.length)));
    end = at + words.length;
  }
  return [...parts, text.slice(end)];
}
