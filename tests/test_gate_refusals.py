"""`stagelift check` as a stranger calls it: no evidence is no pass, broken input is 2, and nothing
that stands in a file acts where the answer is shown.
"""

import json
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.files import write_text
from stagelift.harness.checks.baselines import sealed
from stagelift.harness.cli import app
from stagelift.reports.formats.document import render_json
from stagelift.reports.gates.margins import Margin
from stagelift.reports.report import build_report
from tests.conftest import environment
from tests.gates import scores, write
from tests.records import make_chain

RIGHT = "c" * 300 + "w" * 100


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def report(path: Path, missing: tuple[str, ...] = (), **stages: str) -> str:
    write_text(path, report_text(path.stem, missing, tuple(stages.items())))
    return str(path)


@cache
def report_text(name: str, missing: tuple[str, ...], stages: tuple[tuple[str, str], ...]) -> str:
    run = make_chain(name, base="w" * 400, **dict(stages))
    return render_json(build_report([replace(run, missing=list(missing))]))


def changed_report(path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """A report whose content was changed after it was written."""
    report(path, sft=RIGHT)
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return str(path)


def refused(result: Result, sentence: str) -> None:
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    assert sentence in result.stderr and result.stdout == ""


def not_comparable(result: Result, sentence: str) -> None:
    assert result.exit_code == 4, result.output
    assert sentence in result.stdout


def test_the_last_stage_must_have_a_result(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    old = report(tmp_path / "old.json", sft=RIGHT, dpo=RIGHT)
    unfinished = report(tmp_path / "unfinished.json", ("dpo",), sft=RIGHT)
    shorter = report(tmp_path / "shorter.json", sft=RIGHT)
    longer = report(tmp_path / "longer.json", sft=RIGHT, dpo=RIGHT, grpo=RIGHT)
    for candidate, sentence in (
        (unfinished, "has no result of stage 'dpo'. It has: base, sft."),
        (shorter, "has no result of stage 'dpo'. It has: base, sft."),
        (longer, "'dpo', and the last stage of the candidate"),
    ):
        not_comparable(stagelift("check", candidate, "--baseline", old), sentence)
    named = stagelift("check", longer, "--baseline", old, "--stage", "dpo")
    assert named.exit_code == 0, named.output
    assert "goes on to stage 'grpo', which this says nothing of" in named.stdout
    not_comparable(
        stagelift("check", unfinished, "--baseline", longer, "--stage", "dpo"), "no result of stage"
    )
    refused(stagelift("check", longer, "--baseline", unfinished), "'dpo' of")
    refused(stagelift("baseline", "set", unfinished), "has no result yet")


def test_a_blessed_stage_in_the_middle_is_compared_with_the_same_one(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    run = report(tmp_path / "run.json", sft=RIGHT, dpo="c" * 100 + "w" * 300)
    assert stagelift("baseline", "set", run, "--stage", "sft").exit_code == 0
    result = stagelift("check", run, "--baseline", "main")
    assert result.exit_code == 0 and "run/sft against run/sft" in result.stdout
    other = stagelift("check", run, "--baseline", "main", "--stage", "dpo")
    assert other.exit_code == 1
    assert "Stage 'dpo' is compared with the baseline's stage 'sft'." in other.stdout


def test_single_models_are_compared_whatever_their_stage_is_called(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    one, other = make_chain("one", alpaca=RIGHT), make_chain("other", ppo=RIGHT)
    for name, run in (("one", one), ("other", other)):
        write_text(tmp_path / f"{name}.json", render_json(build_report([run])))
    result = stagelift("check", "one.json", "--baseline", "other.json")
    assert "one/alpaca against other/ppo" in result.stdout, result.output


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "the candidate has no scores of 'accuracy' by problem, which is critical (baseline)"),
        ({"accuracy": {}}, "the candidate has no scores of 'accuracy'"),
        ({"length_tokens": {"p/0": 3.0}}, "It has: length_tokens."),
    ],
)
def test_what_the_baseline_requires_must_be_there(
    stagelift: Callable[..., Result], tmp_path: Path, values: dict[str, Any], sentence: str
) -> None:
    old = write(tmp_path / "old.json", scores([1.0] * 400), Margin("accuracy", 2.0))
    new = write(tmp_path / "new.json", scores([], values=values))
    not_comparable(stagelift("check", new, "--baseline", old), sentence)


def test_a_baseline_declares_its_gates_when_it_is_blessed(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    run = report(tmp_path / "run.json", sft=RIGHT)
    (tmp_path / "gates.yaml").write_text("accuracy: 3\ntiers: {supporting: [win_rate_base]}\n")
    done = stagelift("baseline", "set", run, "--gates", "gates.yaml", "--margin", "truncated=1.5")
    assert done.exit_code == 0, done.output
    assert "requires stage 'sft' and accuracy 3 (critical), truncated 1.5 (critical)" in done.stdout
    content = json.loads((tmp_path / "baselines" / "main" / "0001.json").read_text())
    assert content["gates"] == {"accuracy": "3.0", "truncated": "1.5", "win_rate_base": "3.0"}
    answer = json.loads(
        stagelift(
            "check", run, "--baseline", "main", "--margin", "accuracy=4", "--format", "json"
        ).stdout
    )
    assert {(gate["metric"], gate["tier"], gate["given_by"]) for gate in answer["gates"]} == {
        ("accuracy", "critical", "--margin"),
        ("truncated", "critical", "baseline"),
        ("win_rate_base", "supporting", "baseline"),
    }
    assert "truncated 1.5 (critical)" in stagelift("baseline", "show").stdout
    refused(
        stagelift("baseline", "set", run, "--margin", "preference_accuracy=2"),
        "the run has no scores of 'preference_accuracy'",
    )


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        (lambda text: text.replace('"p/3": 1.0', '"p/3": 0.0'), False),
        (lambda text: text.replace('"accuracy": "2.0"', '"accuracy": "20.0"'), False),
        (lambda text: text.replace('"stage": "grpo"', '"stage": "sft"'), False),
        (lambda text: text.replace('"sha256"', '"sha512"'), False),
        (lambda text: text.replace("stagelift-baseline-2", "stagelift-baseline-3"), False),
        (lambda text: json.dumps(without(json.loads(text), "sha256")), False),
        (lambda text: json.dumps(without(json.loads(text), "sha256", "format")), False),
        (lambda text: text.replace("stagelift-scores-2", "stagelift-scores-1"), False),
        (lambda text: json.dumps(json.loads(text), indent=4, sort_keys=True), True),
        (lambda text: text.replace("\n", "\r\n"), True),
    ],
)
def test_an_edited_baseline_is_refused_and_another_layout_is_not(
    stagelift: Callable[..., Result],
    tmp_path: Path,
    change: Callable[[str], str],
    accepted: bool,
) -> None:
    side = scores([1.0] * 200)
    path = Path(write(tmp_path / "old.json", side, Margin("accuracy", 2.0)))
    before = path.read_text()
    path.write_bytes(change(before).encode())
    result = stagelift("check", write(tmp_path / "new.json", side), "--baseline", str(path))
    if accepted:
        assert result.exit_code == 0, result.output
    else:
        assert path.read_text() != before
        refused(result, "old.json")


def without(content: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in content.items() if key not in keys}


def first_values(content: dict[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = content["stages"][1]["scores"]["values"]["accuracy"]
    return values


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda c: first_values(c).update({"p/3": float("nan")}), "NaN is no number"),
        (lambda c: first_values(c).update({"p/3": float("inf")}), "Infinity is no number"),
        (lambda c: first_values(c).update({"p/3": 1.5}), "'p/3' is 1.5"),
        (lambda c: first_values(c).update({"p/3": -1}), "from 0 to 1"),
        (lambda c: first_values(c).update({"p/3": "right"}), "no whole report"),
        (lambda c: first_values(c).update({"p/3": None}), "no whole report"),
        (lambda c: first_values(c).update({"p/3": 10**400}), "more than 308 digits"),
        (lambda c: c["stages"][1]["scores"].pop("values"), "values is missing"),
        (lambda c: c["stages"][1].pop("scores"), "an earlier stagelift, without scores"),
        (lambda c: c["stages"].append(c["stages"][1]), "two stages of one name"),
        (lambda c: c["stages"].clear(), "stages is missing"),
        (lambda c: c["runs"].append(c["runs"][0]), "a report of 2 runs"),
        (lambda c: c["runs"][0].update(contract=[]), "no whole report"),
        (lambda c: c.pop("stages"), "neither a report.json nor a baseline"),
        (lambda c: c["stages"][1]["scores"]["values"].update(acuracy={}), "no metric 'acuracy'"),
    ],
)
@pytest.mark.parametrize("side", ["candidate", "baseline"])
def test_broken_input_is_2_on_either_side(
    stagelift: Callable[..., Result],
    tmp_path: Path,
    change: Callable[[dict[str, Any]], object],
    sentence: str,
    side: str,
) -> None:
    broken = changed_report(tmp_path / "broken.json", change)
    sound = str(tmp_path / "sound.json")
    write_text(tmp_path / "sound.json", report_text("broken", (), (("sft", RIGHT),)))
    pair = (broken, sound) if side == "candidate" else (sound, broken)
    refused(stagelift("check", pair[0], "--baseline", pair[1]), sentence)


def test_a_problem_that_is_there_twice_is_refused(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    path = Path(report(tmp_path / "twice.json", sft=RIGHT))
    path.write_text(path.read_text().replace('"p/1":', '"p/0":'))
    refused(stagelift("check", str(path), "--baseline", str(path)), "'p/0' is there twice")


@pytest.mark.parametrize(
    ("margin", "sentence"),
    [
        ("accuracy=100", "below what can be lost"),
        ("accuracy=" + "9" * 400, "below what can be lost"),
        ("length_tokens=" + "9" * 400, "below what can be lost"),
        ("accuracy=nan", "'nan'"),
        ("accuracy=-2", "'-2'"),
        ("accuracy=0", "must be above 0"),
        ("accuracy=٢", "'٢'"),
        ("x\n::error::=2", "no metric 'x : :error: :'"),
    ],
)
def test_a_margin_that_lets_everything_pass_is_refused(
    stagelift: Callable[..., Result], tmp_path: Path, margin: str, sentence: str
) -> None:
    one = write(tmp_path / "one.json", scores([1.0] * 200))
    refused(stagelift("check", one, "--baseline", one, "--margin", margin), sentence)


FELL = [0.0] * 60 + [1.0] * 540
HELD = [1.0] * 600


def two_metrics(first: list[float], second: list[float]) -> Any:
    names = {"accuracy": first, "accuracy_strict": second}
    return scores(
        [],
        values={
            name: {f"p/{i}": value for i, value in enumerate(column)}
            for name, column in names.items()
        },
    )


@pytest.mark.parametrize(
    ("tier", "column", "code", "says"),
    [
        ("critical", FELL, 1, "✗ regressed"),
        ("supporting", FELL, 1, "✗ regressed"),
        ("advisory", FELL, 0, "advisory, it decides nothing"),
        ("critical", HELD[:40], 3, "? inconclusive"),
        ("supporting", HELD[:40], 0, "supporting, so that it fails only where it regressed"),
        ("advisory", HELD[:40], 0, "advisory"),
        ("critical", [], 4, "no scores of 'accuracy_strict'"),
        ("supporting", [], 4, "no scores of 'accuracy_strict'"),
        ("advisory", [], 0, "the candidate has no scores of 'accuracy_strict'"),
    ],
)
def test_a_tier_says_what_a_metric_counts(
    stagelift: Callable[..., Result],
    tmp_path: Path,
    tier: str,
    column: list[float],
    code: int,
    says: str,
) -> None:
    n = len(column) or 600
    old = write(tmp_path / "old.json", two_metrics(HELD, HELD[:n]))
    new = write(tmp_path / "new.json", two_metrics(HELD, column))
    (tmp_path / "gates.yaml").write_text(
        f"gates: {{accuracy: 2, accuracy_strict: 2}}\ntiers: {{{tier}: [accuracy_strict]}}\n"
    )
    result = stagelift("check", new, "--baseline", old, "--gates", "gates.yaml")
    assert result.exit_code == code, result.output
    assert says in result.stdout


@pytest.mark.parametrize(
    ("tiers", "sentence"),
    [
        ("{advisory: [accuracy]}", "No metric is critical"),
        ("{important: [accuracy]}", "The tiers are"),
        ("{critical: accuracy}", "Write a list of metrics"),
        ("{critical: [accuracy], advisory: [accuracy]}", "is in two tiers"),
        ("{supporting: [accuracy_strict]}", "is in a tier and has no margin"),
        ("{supporting: [acuracy]}", "no metric 'acuracy'"),
        ("[accuracy]", "The tiers are"),
    ],
)
def test_tiers_that_cannot_be_are_refused(
    stagelift: Callable[..., Result], tmp_path: Path, tiers: str, sentence: str
) -> None:
    one = write(tmp_path / "one.json", scores(HELD))
    (tmp_path / "gates.yaml").write_text(f"gates: {{accuracy: 2}}\ntiers: {tiers}\n")
    refused(stagelift("check", one, "--baseline", one, "--gates", "gates.yaml"), sentence)


HOSTILE = [
    "x\n::error::y",
    "x\r\n::set-output name=a::b",
    "::warning::z",
    "a%0A::error::b",
    "##[error]x",
    "##vso[task.complete result=Succeeded;]",
    "\x1b[31mred\x1b]0;title\x07",
    "a\u2028::error::b",
    "a\u202egnp.exe",
    "\x00\x0b\x85\x9b31m",
    "]]><failure/>",
    "<script>alert(1)</script>",
    "|`*_[x](javascript:y)#",
    "\ufffe\uffff",
    "=HYPERLINK(1)",
]


@pytest.mark.parametrize(
    "text", ["\n".join(HOSTILE), *(pytest.param(text, marks=pytest.mark.real) for text in HOSTILE)]
)
@pytest.mark.parametrize("place", ["run", "stage", "metric", "problem", "contract", "field"])
@pytest.mark.parametrize("form", ["terminal", "markdown", "json", "junit", "github"])
def test_no_text_of_a_file_acts_in_any_format(
    stagelift: Callable[..., Result], tmp_path: Path, text: str, place: str, form: str
) -> None:
    metric = f"{text}/acc" if place == "metric" else "accuracy"
    ids = [text if place == "problem" and i == 0 else f"p/{i}" for i in range(9)]
    changes: dict[str, Any] = {"values": {metric: dict.fromkeys(ids, 1.0)}}
    if place in ("run", "stage"):
        changes[place] = text
    other: dict[str, Any] = {}
    if place == "contract":
        other = {"contract": {"task": text, "judge": "j"}}
    if place == "field":
        other = {"contract": {"task": "t", "judge": "j", text: 1}}
    if place == "problem":
        other = {"values": {metric: {"p/1": 1.0}}}
    margin = Margin(metric, 2.0)
    new, old = tmp_path / "new.json", tmp_path / "old.json"
    new.write_text(sealed(scores([], **{**changes, **other}), [margin]))
    old.write_text(sealed(scores([], **changes), [margin]))
    result = stagelift("check", str(new), "--baseline", str(old), "--format", form)
    assert result.exit_code in (3, 4), result.output
    harmless(result.stdout, form)
    harmless(result.stderr, "terminal")


def harmless(text: str, form: str) -> None:
    """Nothing in it is a command to a terminal or a log, and it is what it is meant to be."""
    assert not [c for c in text if c != "\n" and unicodedata.category(c)[0] == "C"]
    assert "\u2028" not in text and "##" not in text.replace("# Regression", "")
    commands = [line for line in text.splitlines() if line.lstrip().startswith("::")]
    if form == "github":
        known = ("::error title=stagelift check", "::notice title=stagelift check")
        assert all(line.startswith(known) for line in commands)
        assert all(line.count("::") == 2 for line in commands) and "%0A" not in text
    else:
        assert commands == []
    match form:
        case "json":
            json.loads(text)
        case "junit":
            ElementTree.fromstring(text.encode())
        case "markdown":
            assert "<script>" not in text and "](" not in text.replace("\\]", "")


def run(folder: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-m", "stagelift", *arguments],
        cwd=folder,
        env={**environment(), **variables},
        capture_output=True,
        check=False,
    )


def test_in_an_empty_folder_nothing_is_found_and_nothing_passes(tmp_path: Path) -> None:
    done = run(tmp_path, "check", "candidate", "--baseline", "main")
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"'main' is neither a run in runs" in done.stderr and b"Traceback" not in done.stderr


@pytest.mark.real
def test_a_terminal_without_the_symbols_gets_the_answer_too(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", scores([0.0] * 100 + [1.0] * 100))
    other = write(tmp_path / "other.json", scores([1.0] * 200))
    done = run(
        tmp_path, "check", one, "--baseline", other, PYTHONIOENCODING="ascii", PYTHONUTF8="0"
    )
    assert done.returncode == 1 and b"regressed" in done.stdout and done.stderr == b""


def test_the_help_says_every_exit_code() -> None:
    said = " ".join(CliRunner().invoke(app, ["check", "--help"]).stdout.split())
    for words in ("0 shown to be no worse", "1 regressed", "2 bad input", "3 inconclusive"):
        assert words in said
    assert "4 not comparable" in said


def test_a_self_test_ends_with_0_where_each_gate_has_its_power_else_with_3(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    few = write(tmp_path / "few.json", scores([1.0, 0.0] * 32))
    result = stagelift("check", few, "--self-test")
    assert result.exit_code == 3 and "would be caught in" in result.stdout, result.output
    assert "it is assumed" in result.stdout and "passed" not in result.stdout
    many = write(tmp_path / "many.json", scores([1.0] * 60 + [0.0] * 60 + [1.0] * 3000))
    other = write(tmp_path / "other.json", scores([0.0] * 60 + [1.0] * 60 + [1.0] * 3000))
    result = stagelift("check", many, "--baseline", other, "--self-test", "--format", "json")
    (power,) = json.loads(result.stdout)["self_test"]
    assert result.exit_code == 0 and power["is_seen"] and power["caught"] > 0.8
    other_form = stagelift("check", many, "--self-test", "--format", "junit")
    assert other_form.exit_code == 2 and "terminal or json" in other_form.stderr
    assert "<error" in other_form.stdout
    ignored = stagelift("check", many, "--self-test", "--inconclusive", "pass")
    refused(ignored, "--inconclusive would do nothing beside --self-test")
    empty = write(tmp_path / "empty.json", scores([], values={"accuracy": {}}))
    asked = stagelift("check", empty, "--self-test", "--margin", "accuracy=2")
    not_comparable(asked, "has no scores of 'accuracy'")
