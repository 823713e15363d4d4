"""Time the HTML report on many problems: how long it takes to write, and how fast a real Chromium
opens and filters it.

    python -m benchmarks.html_report

Prints one line per figure. The browser runs without a GPU, as on a server.
"""

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, expect

from stagelift.evals.records import Outcome, Role, Verdict
from stagelift.reports.formats.html import render_html
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, build_report
from tests.browser import chromium, one_score, one_stage
from tests.records import make_run

SIDE_FILE = "report-responses.js"
STAGES = ("base", "sft", "dpo", "grpo")
OUTCOMES: tuple[Outcome, ...] = ("correct", "wrong", "truncated", "unparsed")
WORDS = (
    *(
        "so",
        "the",
        "total",
        "number",
        "of",
        "apples",
        "is",
        "then",
        "multiplied",
        "by",
        "and",
        "which",
        "gives",
        "left,",
    ),
    *("3", "12", "=", "48", "+", "7", "*", "(2", "-", "1)", "dollars.\n"),
)


def main() -> None:
    """Measure a GSM8K-sized report and one of 10,000 problems, whose responses need a second
    file.
    """
    for problems in (1_319, 10_000):
        print(f"{problems:,} problems x {len(STAGES)} stages")
        report = make_report(problems)
        with tempfile.TemporaryDirectory() as folder:
            file = write(report, Path(folder))
            with chromium() as browser:
                measure(browser.new_page(viewport={"width": 1360, "height": 900}), file, problems)


def make_report(problems: int) -> Report:
    """Make a run with responses of about 800 characters, no two of them the same."""
    return build_report([make_run([_stage(name, problems) for name in STAGES])])


def _stage(name: str, problems: int) -> StageRecord:
    chance = random.Random(name)
    ids = [f"gsm8k/test/{number}" for number in range(problems)]
    scores = [
        one_score(
            one,
            chance.choice(OUTCOMES),
            f"{one}: {_words(chance, 45)}?",
            tokens=chance.randint(40, 400),
        )
        for one in ids
    ]
    roles: tuple[Role, ...] = () if name == "base" else ("base", "previous")
    verdicts: dict[Role, dict[str, Verdict]] = {
        role: {
            one: Verdict(
                id=one,
                against=role,
                score=chance.choice((0.0, 0.5, 1.0)),
                reason="right beats wrong",
            )
            for one in ids
        }
        for role in roles
    }
    return one_stage(name, scores, {one: _words(chance, 180) for one in ids}, verdicts)


def _words(chance: random.Random, count: int) -> str:
    return " ".join(chance.choices(WORDS, k=count))


def write(report: Report, folder: Path) -> Path:
    """Write the page and, if it needs one, the second file."""
    # the plots' imports are not what is measured
    render_html(report, SIDE_FILE)
    with timed("render"):
        page = render_html(report, SIDE_FILE)
    (folder / "report.html").write_text(page.html, encoding="utf-8")
    print(f"  {'page':34} {len(page.html.encode()) / 1e6:8.1f} MB")
    if page.responses is not None:
        (folder / SIDE_FILE).write_text(page.responses, encoding="utf-8")
        print(f"  {'second file':34} {len(page.responses.encode()) / 1e6:8.1f} MB")
    return folder / "report.html"


def measure(page: Page, file: Path, problems: int) -> None:
    """Do what a reader does, and time each step until the browser shows it."""
    with timed("open, until rows are visible"):
        page.goto(f"{file.as_uri()}#problems", wait_until="commit")
        expect(page.locator(".row > summary").first).to_be_visible(timeout=60_000)
    with timed("open the first row, first time"):
        page.locator(".row > summary").first.click()
        page.locator(".card").first.wait_for()
    with timed("open another row"):
        page.locator(".row > summary").nth(1).click()
        page.locator(".card").nth(len(STAGES)).wait_for()
    print(f"  {'filter: fixed at the last stage':34} {in_page(page, FILTER):8.0f} ms")
    print(f"  {'search: question, after the pause':34} {in_page(page, SEARCH):8.0f} ms")
    print(f"  {'search: responses, first time':34} {in_page(page, SEARCH_RESPONSES):8.0f} ms")
    print(f"  {'search: responses, again':34} {in_page(page, SEARCH):8.0f} ms")
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator("#count")).to_have_text(f"{problems:,} of {problems:,} problems")
    rows, longest = page.evaluate(SCROLL)
    print(f"  {'scroll: rows; longest frame':34} {rows:8} {longest:.0f} ms")


# each resolves to milliseconds from the input event until the count has changed and a frame was
# drawn
COUNTED = """
const counted = () => new Promise((resolve) => {
  new MutationObserver((_, observer) => {
    if (!/^[\\d,]+ of/.test(count.textContent)) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - start)));
  }).observe(count, {childList: true});
});
const form = document.getElementById("filters"), count = document.getElementById("count");
const start = performance.now();
"""
FILTER = (
    COUNTED
    + """
form.elements.change.value = "fixed";
form.elements.change.dispatchEvent(new Event("input", {bubbles: true}));
return counted();
"""
)
SEARCH = (
    COUNTED
    + """
form.elements.text.value = form.elements.text.value === "total" ? "apples is" : "total";
form.elements.text.dispatchEvent(new Event("input", {bubbles: true}));
return counted();
"""
)
SEARCH_RESPONSES = (
    COUNTED
    + """
form.elements.responses.checked = true;
form.elements.responses.dispatchEvent(new Event("input", {bubbles: true}));
return counted();
"""
)
SCROLL = """
() => new Promise((resolve) => {
  const rows = document.getElementById("rows");
  let last = performance.now(), longest = 0, frames = 0;
  const step = (now) => {
    longest = Math.max(longest, now - last);
    last = now;
    rows.scrollTop += 400;
    if (++frames < 300) requestAnimationFrame(step);
    else resolve([document.querySelectorAll(".row").length, longest]);
  };
  requestAnimationFrame(step);
})
"""


def in_page(page: Page, script: str) -> float:
    """Run a script's body in the page."""
    return float(page.evaluate(f"async () => {{{script}}}"))


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Print the milliseconds that a block takes."""
    start = time.perf_counter()
    yield
    print(f"  {what:34} {1000 * (time.perf_counter() - start):8.0f} ms", flush=True)


if __name__ == "__main__":
    main()
