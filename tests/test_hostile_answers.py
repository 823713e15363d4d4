"""Whatever a gate, a run or an event is called, no answer and no progress acts on its readers."""

import re
from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from stagelift.harness.progress import NotebookView, PlainView, say
from stagelift.reports.gates.answer import (
    Answer,
    render_github,
    render_json,
    render_junit,
    render_markdown,
    render_terminal,
)
from stagelift.reports.gates.not_comparable import NotComparableError
from tests.hostile import HOSTILE, changed
from tests.inert import COMMAND, assert_json, assert_markdown, assert_page, assert_printable
from tests.test_answer import FALL, answer

TOGETHER = " ".join(HOSTILE)
# a name of a built-in metric says how its numbers are written
GATE = replace(FALL, metric="task/acc")
CHECKED = changed(answer(GATE, run="run"), lambda _, text: f"{TOGETHER} {text}")
REFUSED = NotComparableError(TOGETHER, f"Not comparable: {TOGETHER}")


def assert_junit(text: str) -> None:
    assert_printable(text)
    # of XML itself
    ElementTree.fromstring(text.encode())
    assert not any(line.lstrip().startswith("::") for line in text.splitlines())


def assert_annotations(text: str) -> None:
    """Each line is a command of ours, and only one."""
    for line in text.splitlines():
        assert re.match("::(error|warning|notice) title=[^:,]*::[^:]", line), line
        assert COMMAND.search(line[2:]) is None
    assert_printable(text.replace("::", ""))


@pytest.mark.parametrize("answered", [CHECKED, REFUSED], ids=["checked", "refused"])
@pytest.mark.parametrize(
    ("render", "check"),
    [
        (render_terminal, assert_printable),
        (render_markdown, assert_markdown),
        (render_json, assert_json),
        (render_junit, assert_junit),
        (render_github, assert_annotations),
    ],
)
def test_no_answer_acts(
    answered: Answer, render: Callable[[Answer], str], check: Callable[[str], None]
) -> None:
    check(render(answered))


def test_no_event_acts_on_a_log_or_in_a_cell(capsys: pytest.CaptureFixture[str]) -> None:
    events = [
        {"event": "failed", "error": TOGETHER},
        {"event": "ill", "step": 1, "text": TOGETHER},
        {"event": "note", "text": TOGETHER},
        {"event": "selected", "why": TOGETHER},
        {"event": "waiting", "commands": [TOGETHER]},
        {"event": TOGETHER},
    ]
    view, cell = PlainView(), NotebookView([TOGETHER])
    for event in events:
        view.on_event(TOGETHER, event)
        if event["event"] != "note":
            cell.rows.see(TOGETHER, event)
    say(TOGETHER)
    assert_printable(capsys.readouterr().out)
    assert_page(cell.table())
