"""Whatever text stands in whatever field of a record, no output acts on whoever shows it.

Every place of a stored run that may hold any text is found by walking its records. Places that hold
the same text (a stage's name, and where it is a parent) are changed together.
"""

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from stagelift.evals.metrics.measures import measure
from stagelift.reports.exports.every_eval_ever import every_eval_ever_files
from stagelift.reports.exports.lm_eval import lm_eval_files
from stagelift.reports.formats.card import render_card
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown_summary
from stagelift.reports.formats.names import Format
from stagelift.reports.formats.notebook import render_notebook
from stagelift.reports.formats.text import render_text
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from tests.browser import chromium, chromium_path
from tests.hostile import HOSTILE, changed, groups
from tests.inert import (
    ACTING,
    assert_csv,
    assert_json,
    assert_latex,
    assert_markdown,
    assert_page,
    assert_printable,
)

STORED = Path(__file__).parent / "data" / "earlier" / "stored"
RUNS = ["theirs", "chain", "study"]
WHEN = datetime(2026, 1, 1, tzinfo=UTC)
CHECKS = {
    Format.terminal: assert_printable,
    Format.markdown: assert_markdown,
    Format.json: assert_json,
    Format.csv: assert_csv,
    Format.latex: assert_latex,
}
TOGETHER = " ".join(HOSTILE)


@cache
def stored(name: str) -> RunRecord:
    return read_run(STORED / name)


def with_hostile(name: str, hostile: str, places: set[str] | None = None) -> RunRecord:
    """The run with a text before every other, or before those in some places. What a metric is
    called says how it is read, but for tasks of lm-eval.
    """

    def change(path: str, text: str) -> str:
        if (places is not None and path not in places) or not text:
            return text
        names_a_metric = path.endswith(("metrics{}", "win_tie_loss{}", "values{}", "verdicts{}"))
        if names_a_metric and measure(text).family != "lm-eval task":
            return text
        return f"{hostile} {text}"

    made: RunRecord = changed(stored(name), change)
    return made


def assert_inert(run: RunRecord, *, page: bool) -> None:
    """Look at every output of a run."""
    report = build_report([run])
    for form, check in CHECKS.items():
        check(render_text(report, form))
    assert_markdown(render_markdown_summary(report))
    assert_page(render_notebook(report))
    for files in (lm_eval_files(run, WHEN), every_eval_ever_files(run, WHEN)):
        for path, text in files.items():
            assert_printable(str(path))
            assert ".." not in path.parts and not path.is_absolute() and str(path).isascii()
            for document in text.splitlines() if path.suffix == ".jsonl" else [text]:
                assert_json(document)
    for stage in run.stages:
        if stage.training is not None:
            assert_markdown(render_card(run, stage), links=("https://huggingface.co/",))
    if page:
        assert_page(render_html(report).html)


def places() -> list[tuple[str, str]]:
    return [(name, min(found)) for name in RUNS for found in groups(stored(name))]


def test_no_text_acts_in_any_output() -> None:
    assert_inert(with_hostile("theirs", TOGETHER), page=True)


@pytest.mark.real
@pytest.mark.parametrize("hostile", HOSTILE)
def test_each_text_acts_in_no_output_of_any_run(hostile: str) -> None:
    for name in RUNS:
        assert_inert(with_hostile(name, hostile), page=True)


@pytest.mark.real
@pytest.mark.parametrize(("name", "place"), places())
def test_texts_in_each_field_act_in_no_output(name: str, place: str) -> None:
    (together,) = [found for found in groups(stored(name)) if place in found]
    assert_inert(with_hostile(name, TOGETHER, together), page=False)


@pytest.mark.real
@pytest.mark.xdist_group("browser")
@pytest.mark.skipif(chromium_path() is None, reason="no chromium on this machine")
@pytest.mark.parametrize("name", RUNS)
def test_no_text_runs_in_a_browser(name: str, tmp_path: Path) -> None:
    """No script runs, nothing is asked of a network, no dialog opens, and the title is the name."""
    file = tmp_path / "report.html"
    file.write_text(render_html(build_report([with_hostile(name, TOGETHER)])).html, "utf-8")
    acted: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("dialog", lambda dialog: (acted.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: acted.append(request.url))
        page.on("popup", lambda popup: acted.append(popup.url))
        page.on("pageerror", lambda error: acted.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_timeout(500)
        # every row of the problems is opened
        page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        page.wait_for_timeout(500)
        assert page.evaluate("window.hacked") is None
        assert page.title().startswith("<U+001B>[31mred<U+001B>[0m")
        assert ACTING.search(page.locator("body").inner_text()) is None
    assert [each for each in acted if not each.startswith(("file:", "data:"))] == []


def test_a_record_has_many_fields() -> None:
    """The walk reaches what is deep inside: a test without places would pass."""
    found = [place for name, place in places() if name == "chain"]
    assert len(found) > 40
    for place in (".recipe", ".stages[].verdicts{}{}.reason", ".stages[].generations{}.response"):
        assert place in found
