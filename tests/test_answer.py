"""A check's answer in five formats: what each says, and that no name acts in one."""

import json
from xml.etree import ElementTree

import pytest

from stagelift.reports.gates.answer import (
    Answer,
    headline,
    remark,
    render_github,
    render_json,
    render_junit,
    render_markdown,
    render_terminal,
)
from stagelift.reports.gates.check import Check, check
from stagelift.reports.gates.gate import Gate
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.not_comparable import NotComparableError
from tests.gates import scores

HOSTILE = "x|`<script>\n::error::%0A, a:b\x1b[31m"
FALL = Gate(
    metric="accuracy",
    tier="critical",
    outcome="regressed",
    baseline=1.0,
    candidate=0.5,
    delta=-0.5,
    low=-0.53,
    high=-0.47,
    margin=0.02,
    given_by="baseline",
    n=800,
    p=0.001,
    p_adjusted=0.003,
    warns=False,
    needed=None,
)


def answer(*gates: Gate, **changes: object) -> Check:
    side = scores([1.0] * 800, **changes)
    return Check(side, scores([1.0] * 800), list(gates), gates[0].outcome, 0)


NOT_COMPARABLE = NotComparableError("task", f"Not comparable: task is {HOSTILE!r}.")


def test_a_check_of_scores_is_said_in_a_sentence() -> None:
    found = check(scores([0.0] * 400 + [1.0] * 400), scores([1.0] * 800), [Margin("accuracy", 2.0)])
    assert headline(found).startswith("run/grpo against run/grpo: regressed on accuracy (-50.0 [")
    assert headline(found).endswith("], margin 2.0, a default).")
    assert headline(NOT_COMPARABLE) == str(NOT_COMPARABLE)


def test_only_outcomes_that_need_it_have_a_remark() -> None:
    changed = {
        "regressed": "worse, and more than the margin cannot be excluded",
        "identical": "the responses are the same bytes",
        "improved": "",
    }
    for outcome, said in changed.items():
        assert remark(Gate(**{**vars(FALL), "outcome": outcome})) == said
    inconclusive = Gate(**{**vars(FALL), "outcome": "inconclusive", "p": 0.2, "needed": 3200})
    assert remark(inconclusive).endswith(
        "about 3,200 problems would tell (80% power), these are 800"
    )
    warns = Gate(**{**vars(FALL), "outcome": "non-inferior", "warns": True})
    assert remark(warns) == "significantly worse, within the margin"


def test_the_terminal_has_a_line_per_metric_in_columns() -> None:
    lines = render_terminal(answer(FALL)).splitlines()
    assert lines[2].split("  ")[0] == "metric"
    assert lines[3] == (
        "accuracy, n=800  100.0%    50.0%      -50.0       "
        "[-53.0, -47.0]        2.0 (baseline)  ✗ regressed"
    )
    assert lines[-1].startswith("accuracy: worse, and more than the margin")


def test_junit_has_a_failure_per_gate_that_does_not_pass() -> None:
    passes = Gate(**{**vars(FALL), "metric": "accuracy_held_out", "outcome": "improved"})
    suite = ElementTree.fromstring(render_junit(answer(FALL, passes)).encode())[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("2", "1")
    fails, done, output = suite
    assert output.tag == "system-out" and "regressed" in (output.text or "")
    assert fails[0].attrib["type"] == "regressed" and done[0].tag == "system-out"
    error = ElementTree.fromstring(render_junit(NOT_COMPARABLE).encode())[0][0][0]
    assert (error.tag, error.attrib["type"]) == ("error", "task")


@pytest.mark.parametrize(
    ("outcome", "warns", "level"),
    [
        ("regressed", False, "error"),
        ("inconclusive", False, "error"),
        ("non-inferior", True, "warning"),
        ("improved", False, "notice"),
    ],
)
def test_an_annotation_is_as_loud_as_its_gate(outcome: str, warns: bool, level: str) -> None:
    gate = Gate(**{**vars(FALL), "outcome": outcome, "warns": warns})
    assert render_github(answer(gate)).startswith(f"::{level} title=stagelift check%3A accuracy::")


def test_json_holds_numbers_in_the_metrics_own_unit() -> None:
    document = json.loads(render_json(answer(FALL)))
    assert (document["outcome"], document["missing"]) == ("regressed", 0)
    assert document["gates"][0] | vars(FALL) == document["gates"][0]
    assert json.loads(render_json(NOT_COMPARABLE))["field"] == "task"


@pytest.mark.parametrize("hostile", [answer(FALL, run=HOSTILE), NOT_COMPARABLE])
def test_no_name_acts_in_any_format(hostile: Answer) -> None:
    assert "\x1b" not in render_terminal(hostile)
    assert "<script>" not in render_markdown(hostile) and "::error" in render_github(hostile)
    # one command a line, however many lines a name has
    assert all(line.startswith("::error title=") for line in render_github(hostile).splitlines())
    ElementTree.fromstring(render_junit(hostile).encode())
