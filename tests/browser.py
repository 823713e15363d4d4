"""A headless Chromium for the HTML report, and a report in which every text is an attack."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.records import Generation, Group, Outcome, Role, Score, Verdict
from stagelift.reports.formats.html import render_html
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, build_report
from tests.records import make_run, make_score, make_stage

HOSTILE = [
    "<script>window.hacked = 1; alert(1)</script>",
    "</script><script>window.hacked = 1</script>",
    "<!--<script>",
    "--></script><img src=x onerror=window.hacked=1>",
    '"><svg onload=window.hacked=1>',
    "' onmouseover='window.hacked=1",
    "javascript:window.hacked=1",
    "<a href=javascript:window.hacked=1>x</a>",
    "<iframe srcdoc='<script>top.hacked=1</script>'></iframe>",
    "</pre></details></style><style>body{display:none}</style><base href=https://example.org/>",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "<link rel=stylesheet href=https://example.org/x.css>",
    "<form action=https://example.org/><button autofocus onfocus=window.hacked=1>",
    "{{ 7 * 7 }}{% raw %}${window.hacked=1}`",
    "\\');window.hacked=1;//",
    "\\u003cscript>\\\\\u2028window.hacked=1\u2029",
    "ab\u202egnp.exe\x1b[31m\x00\r\n\ttail",
    "__proto__",
]


def chromium_path() -> str | None:
    """Return the first Chromium there is on this machine."""
    return next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it without anything that would ask the network by itself."""
    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium_path(),
            args=["--no-sandbox", "--disable-gpu", "--no-first-run", *quiet],
        )
        yield browser
        browser.close()


def write_page(report: Report, folder: Path, responses_file: str | None = None) -> Path:
    """Write a report's page, and its side file where there is one."""
    page = render_html(report, responses_file)
    (folder / "report.html").write_text(page.html, encoding="utf-8")
    if page.responses is not None and responses_file is not None:
        (folder / responses_file).write_text(page.responses, encoding="utf-8")
    return folder / "report.html"


def one_score(
    problem: str,
    outcome: Outcome | None,
    question: str = "",
    group: Group = "test",
    tokens: int | None = 20,
) -> Score:
    """Make a score of any outcome; `question` is the id's own if it is not given."""
    correct = None if outcome is None else outcome == "correct"
    changes = {"outcome": outcome, "group": group, "n_tokens": tokens, "correct": correct}
    if outcome is None:
        changes |= dict.fromkeys(
            ("target", "correct_strict", "correct_flexible", "answer", "answer_flexible")
        )
    made = make_score(problem, bool(correct)).model_copy(update=changes)
    return made.model_copy(update={"question": question}) if question else made


def one_stage(
    name: str,
    scores: list[Score],
    responses: dict[str, str],
    verdicts: dict[Role, dict[str, Verdict]] | None = None,
    run: str = "demo",
) -> StageRecord:
    """Make a stage with responses and verdicts of its own, judged by nobody."""
    made = make_stage(name, scores, run=run)
    generations = {
        one: _generation(score, responses[one]) for one, score in made.first_scores().items()
    }
    judged = {win_rate_name(role, "test"): found for role, found in (verdicts or {}).items()}
    return StageRecord(**{**made.__dict__, "generations": generations, "verdicts": judged})


def hostile_report(padding: str = "") -> Report:
    """Two runs of two stages; questions, targets, answers, responses, reasons and names are
    HOSTILE, ids too.

    `padding` makes the last response longer.
    """
    runs = [_hostile_run(f"{HOSTILE[number]} {number}", padding) for number in range(2)]
    return build_report(runs)


def _hostile_run(name: str, padding: str) -> RunRecord:
    def score(number: int, text: str, outcome: Outcome) -> Score:
        changes = {
            "target": text,
            "answer": text,
            "answer_strict": text[::-1],
            "answer_flexible": None,
        }
        return one_score(f"{number} {text}", outcome, text).model_copy(update=changes)

    first = [score(number, text, "wrong") for number, text in enumerate(HOSTILE)]
    then = [score(number, text, "correct") for number, text in enumerate(HOSTILE)]
    texts = {one.id: HOSTILE[number] for number, one in enumerate(first)}
    texts[first[-1].id] += padding
    reasons = {
        one.id: Verdict(
            id=one.id, against="base", score=0.75, orders=(1.0, 0.5), reason=HOSTILE[number]
        )
        for number, one in enumerate(first)
    }
    stages = [
        one_stage(HOSTILE[4], first, texts, run=name),
        one_stage(HOSTILE[1], then, texts, {"base": reasons}, run=name),
    ]
    made = make_run(stages, name=name)
    return RunRecord(
        **{**made.__dict__, "model": HOSTILE[0], "data": HOSTILE[3], "device": HOSTILE[5]}
    )


def _generation(score: Score, text: str) -> Generation:
    return Generation(
        id=score.id,
        group=score.group,
        prompt="p",
        response=text,
        n_tokens=score.n_tokens,
        finish_reason="length" if score.truncated else "stop",
    )
