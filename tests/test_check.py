"""`stagelift check` and `baseline` through the command: every exit code, every format, and how
often it errs.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.files import write_text
from stagelift.harness.checks.baselines import bless, read_baseline
from stagelift.harness.checks.margins import merged, read_asked
from stagelift.harness.checks.sides import load_baseline
from stagelift.harness.cli import app
from stagelift.harness.testing import assert_no_regression
from stagelift.reports.formats.document import render_json
from stagelift.reports.gates.check import check, gateable
from stagelift.reports.gates.margins import Margin, read_margins
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from tests.conftest import environment
from tests.gates import scores, write
from tests.records import make_chain
from tests.shared import copied

RIGHT = "c" * 700 + "w" * 300


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def write_report(path: Path, run: RunRecord) -> str:
    write_text(path, render_json(build_report([run])))
    return str(path)


def letters(broken: int, fixed: int) -> str:
    """RIGHT with so many problems broken and fixed."""
    return "w" * broken + "c" * (700 - broken) + "c" * fixed + "w" * (300 - fixed)


@pytest.mark.parametrize(
    ("candidate", "code", "says"),
    [
        (RIGHT, 0, "identical"),
        (letters(0, 40), 0, "improved"),
        (letters(10, 10), 0, "non-inferior"),
        (letters(9, 0), 0, "significantly worse, within the margin"),
        (letters(60, 10), 1, "regressed"),
        (letters(90, 90), 3, "problems would tell"),
    ],
)
def test_each_answer_has_its_exit_code(
    stagelift: Callable[..., Result], tmp_path: Path, candidate: str, code: int, says: str
) -> None:
    one = write_report(
        tmp_path / "candidate.json", make_chain("new", base="w" * 1000, sft=candidate)
    )
    other = write_report(tmp_path / "baseline.json", make_chain("old", base="w" * 1000, sft=RIGHT))
    result = stagelift("check", one, "--baseline", other, "--margin", "accuracy=2")
    assert result.exit_code == code, result.output
    assert says in result.stdout and "new/sft against old/sft" in result.stdout
    assert stagelift(
        "check", one, "--baseline", other, "--margin", "accuracy=2", "--inconclusive", "pass"
    ).exit_code == (0 if code == 3 else code)


def test_without_margins_what_both_sides_have_is_gated(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    one = write_report(tmp_path / "one.json", make_chain("new", base="w" * 200, sft="c" * 200))
    result = stagelift("check", one, "--baseline", one, "--format", "json")
    answer = json.loads(result.stdout)
    assert [gate["metric"] for gate in answer["gates"]] == ["accuracy", "length_tokens"]
    assert answer["outcome"] == "identical"
    # the reference judge knows the targets
    (said,) = [note for note in answer["notes"] if "accuracy and brevity again" in note]
    assert said.startswith("win_rate_base is not gated by default: its judge 'reference-")
    assert said.endswith("Gate it with --margin win_rate_base=3.")


def test_another_judges_win_rate_and_one_that_is_asked_for_are_gated() -> None:
    rate = {"win_rate_base": {f"p/{number}": 0.5 for number in range(200)}}
    right = {"accuracy": {f"p/{number}": 1.0 for number in range(200)}}
    foreign = scores([], values={**right, **rate})
    assert [gate.metric for gate in check(foreign, foreign).gates] == ["accuracy", "win_rate_base"]
    ours = scores([], values={**right, **rate}, contract={"task": "t", "judge": "reference-1"})
    assert [gate.metric for gate in check(ours, ours).gates] == ["accuracy"]
    asked = check(ours, ours, [Margin("win_rate_base", 3.0, given_by="--margin")])
    assert [gate.metric for gate in asked.gates] == ["win_rate_base"]
    assert not any("accuracy and brevity again" in note for note in asked.notes)
    # where there is no accuracy it is not that again
    alone = scores([], values=rate, contract={"task": "t", "judge": "reference-1"})
    assert [gate.metric for gate in check(alone, alone).gates] == ["win_rate_base"]


def test_an_import_says_what_of_the_usual_gates_it_lacks_and_how_to_give_it() -> None:
    contract = {"imported": "responses", "data": "c0ffee"}
    lengths = {"length_chars": {f"p/{number}": 40.0 for number in range(200)}}
    right = {"accuracy": {f"p/{number}": 1.0 for number in range(200)}}
    first = scores([], values={**right, **lengths}, contract=contract)
    assert check(first, first).notes[0] == (
        "Length: not measured in tokens, the import has none. Gate its characters with --margin "
        "length_chars=10."
    )
    second = scores([], values=lengths, contract=contract)
    notes = check(second, second, [Margin("length_chars", 10.0)]).notes
    assert notes[0].startswith("Accuracy: not measured, the import has no targets")
    assert "--columns target=COLUMN" in notes[0]


def test_other_problems_are_told_by_how_many_there_are_and_of_what() -> None:
    first = scores([1.0] * 5, contract={"task": "gsm8k", "imported": "lm-eval", "data": "1a"})
    second = scores([1.0] * 8, contract={"task": "gsm8k", "imported": "lm-eval", "data": "2b"})
    with pytest.raises(NotComparableError) as refused:
        check(first, second)
    assert refused.value.field == "data"
    assert str(refused.value) == (
        "Not comparable: the problems differ (data): the candidate has 5 problems of 'gsm8k' and "
        "the baseline 8 problems of 'gsm8k', 5 ids are on both sides. Import both on the same "
        "problems, or bless a new baseline."
    )
    mine = scores([1.0] * 5, contract={"task": "t", "data": "mine.jsonl test"})
    other = scores([1.0] * 5, contract={"task": "t", "data": "other.jsonl test"})
    with pytest.raises(
        NotComparableError, match=r"5 problems of 't', 'other.jsonl test', with the"
    ):
        check(mine, other)


def test_a_stage_can_be_named(stagelift: Callable[..., Result], tmp_path: Path) -> None:
    one = write_report(tmp_path / "one.json", make_chain("new", base="w" * 200, sft="c" * 200))
    result = stagelift("check", one, "--baseline", one, "--stage", "base", "--format", "json")
    assert json.loads(result.stdout)["candidate"]["stage"] == "base"
    assert stagelift("check", one, "--baseline", one, "--stage", "dpo").exit_code == 2


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"contract": {"task": "other", "judge": "j"}}, "task"),
        ({"contract": {"task": "t", "judge": "k"}}, "judge"),
        ({"fit": False}, "judge"),
        ({"opponent": "another base"}, "base"),
        ({"values": {"win_rate_base": {"p/0": 1.0, "p/9": 0.0}}}, "problems"),
    ],
)
def test_what_cannot_be_compared_says_which_field(
    stagelift: Callable[..., Result], tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    rates = {"win_rate_base": {"p/0": 1.0, "p/1": 0.5}}
    one = write(tmp_path / "one.json", scores([1.0], values=rates))
    other = write(tmp_path / "other.json", scores([1.0], **{"values": rates, **changes}))
    result = stagelift(
        "check", one, "--baseline", other, "--margin", "win_rate_base=3", "--format", "json"
    )
    assert result.exit_code == 4, result.output
    assert json.loads(result.stdout)["field"] == field
    assert stagelift(
        "check", one, "--baseline", other, "--margin", "win_rate_base=3"
    ).stdout.startswith("Not comparable: ")


def test_missing_problems_are_allowed_only_by_number(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    one, other = (
        write(tmp_path / "1.json", scores([1.0] * 500)),
        write(tmp_path / "2.json", scores([1.0] * 498)),
    )
    assert stagelift("check", one, "--baseline", other, "--allow-missing", "1").exit_code == 4
    result = stagelift("check", one, "--baseline", other, "--allow-missing", "2")
    assert result.exit_code == 0 and "2 problems were on one side only" in result.stdout
    assert "the bounds allow for 2 problems on one side only, at their worst" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--baseline", "nowhere"], "'nowhere' is neither a run"),
        ([], "--baseline is missing"),
        (["--baseline", "one.json", "--margin", "accuracy"], "has no value"),
        (["--baseline", "one.json", "--margin", "accuracy=much"], "is 'much'"),
        (["--baseline", "one.json", "--margin", "accuracy=0"], "must be above 0"),
        (["--baseline", "one.json", "--margin", "accuracy=both"], "which is for lengths"),
        (["--baseline", "one.json", "--margin", "win_rate_previous=2"], "cannot be gated"),
        (
            ["--baseline", "one.json", "--margin", "acuracy=2"],
            "no metric 'acuracy'. Did you mean 'accuracy'",
        ),
        (["--baseline", "one.json", "--gates", "no.yaml"], "does not exist"),
        (["--baseline", "broken.json"], "is not valid JSON"),
        (["--baseline", "empty.json"], "neither a report.json nor a baseline"),
        (["--baseline", "no-runs.json"], "no whole report of stagelift: runs is missing"),
        (["--baseline", "no-stages.json"], "no whole report of stagelift: stages is missing"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    stagelift: Callable[..., Result], tmp_path: Path, arguments: list[str], says: str
) -> None:
    write(tmp_path / "one.json", scores([1.0, 0.0]))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "empty.json").write_text("{}")
    run = {"name": "x", "contract_id": "c", "contract": {}}
    (tmp_path / "no-runs.json").write_text('{"stages": [{"name": "x"}]}')
    (tmp_path / "no-stages.json").write_text(json.dumps({"runs": [run], "stages": []}))
    result = stagelift("check", "one.json", *arguments)
    assert result.exit_code == 2 and says in result.stderr, result.output
    assert result.stderr.startswith("Error: ") and "\n" not in result.stderr.strip()


def test_gates_come_from_a_file_and_the_command_overrides_them(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    one = write_report(tmp_path / "one.json", make_chain("new", base="w" * 60, sft="c" * 60))
    (tmp_path / "gates.yaml").write_text("accuracy: 1\nlength_tokens: 5 both\n")
    result = stagelift(
        "check",
        one,
        "--baseline",
        one,
        "--gates",
        "gates.yaml",
        "--margin",
        "accuracy=4",
        "--format",
        "json",
    )
    margins = {gate["metric"]: gate["margin"] for gate in json.loads(result.stdout)["gates"]}
    assert margins == {"accuracy": pytest.approx(0.04), "length_tokens": pytest.approx(0.05 * 40)}


def test_a_baseline_whose_judge_was_not_checked_is_read_as_it_was_written(tmp_path: Path) -> None:
    blessed = scores([1.0, 0.0], fit=None)
    assert read_baseline(bless(blessed, [], tmp_path, "main")).scores == blessed


def test_what_the_baseline_declares_counts_below_a_file_and_the_command(tmp_path: Path) -> None:
    side = scores([1.0], lengths={})
    declared = read_margins(
        {"accuracy": 1, "length_tokens": "both", "truncated": 3}, given_by="baseline"
    )
    (tmp_path / "gates.yaml").write_text(
        "gates: {accuracy: 2, win_rate_base: 4}\ntiers: {advisory: [truncated]}\n"
    )
    asked = read_asked(tmp_path / "gates.yaml", {"accuracy": "5"})
    found = merged(declared, asked, side)
    assert {margin.metric: vars(margin) for margin in found} == {
        margin.metric: vars(margin)
        for margin in (
            Margin("accuracy", 5, given_by="--margin"),
            Margin("length_tokens", 10, both=True, given_by="baseline"),
            Margin("truncated", 3, tier="advisory", given_by="baseline"),
            Margin("win_rate_base", 4, given_by="gates.yaml"),
        )
    }


def test_margins_of_the_candidates_own_recipe_do_not_count(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    copied(finished_run.parent, tmp_path / "old")
    copied(finished_run.parent, tmp_path / "new")
    recipe = tmp_path / "new" / "tiny" / "recipe.yaml"
    recipe.write_text(recipe.read_text() + "gates: {accuracy: 99}\n")
    check = ["check", "new/tiny", "--baseline", "old/tiny", "--format", "json"]
    gates = json.loads(stagelift(*check).stdout)["gates"]
    assert [gate["given_by"] for gate in gates] == ["default"] * 2
    swapped = ["check", "old/tiny", "--baseline", "new/tiny", "--format", "json"]
    (gate,) = json.loads(stagelift(*swapped).stdout)["gates"]
    assert (gate["given_by"], gate["margin"]) == ("baseline's recipe", pytest.approx(0.99))
    assert stagelift("baseline", "set", "new/tiny").exit_code == 0
    (gate,) = json.loads(stagelift("check", "old/tiny", *check[2:3], "main", *check[4:]).stdout)[
        "gates"
    ]
    assert (gate["given_by"], gate["margin"]) == ("baseline", pytest.approx(0.99))


def test_gates_that_cannot_be_read_are_refused_with_the_recipe(
    stagelift: Callable[..., Result],
) -> None:
    result = stagelift("run", "quickstart", "--dry-run", "--set", "gates={accuracy: -1}")
    assert result.exit_code == 2 and "The margin of 'accuracy' is" in result.stderr


def test_gates_can_change_after_a_run(
    stagelift: Callable[..., Result], tiny_recipe_file: Path, finished_run: Path, tmp_path: Path
) -> None:
    copied(finished_run.parent, tmp_path / "runs")
    before = (tmp_path / "runs" / "tiny" / "run.json").read_text()
    result = stagelift("run", str(tiny_recipe_file), "--set", "gates={accuracy: 40}")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "runs" / "tiny" / "run.json").read_text() == before
    answer = json.loads(stagelift("check", "tiny", "--baseline", "tiny", "--format", "json").stdout)
    assert [(gate["metric"], gate["margin"]) for gate in answer["gates"]] == [
        ("accuracy", pytest.approx(0.4))
    ]


def test_margins_are_read() -> None:
    assert read_margins({"accuracy": 2, "length_tokens": "both", "length_chars": "7.5 both"}) == [
        Margin("accuracy", 2.0),
        Margin("length_tokens", 10.0, both=True),
        Margin("length_chars", 7.5, both=True),
    ]


@pytest.mark.parametrize(
    ("written", "shorter", "longer"),
    [("10", "improved", "regressed"), ("both", "regressed", "regressed")],
)
def test_only_growth_of_a_length_is_a_regression_unless_both_are(
    written: str, shorter: str, longer: str
) -> None:
    rng = np.random.default_rng(0)
    lengths = rng.normal(100, 10, 400)

    def side(factor: float) -> StageScores:
        made = lengths * factor + rng.normal(0, 1, 400)
        return scores(
            [], values={"length_tokens": {f"p/{i}": float(x) for i, x in enumerate(made)}}
        )

    margins = read_margins({"length_tokens": written})
    assert check(side(0.8), side(1), margins).outcome == shorter
    assert check(side(1.2), side(1), margins).outcome == longer
    assert check(side(1.05), side(1), margins).outcome == "non-inferior"


def test_a_win_rate_at_equal_lengths_is_gated_and_an_extrapolated_one_is_not() -> None:
    rng = np.random.default_rng(1)

    def side(rate: float, longer: float) -> StageScores:
        ids = [f"p/{i}" for i in range(600)]
        won = {one: float(rng.random() < rate) for one in ids}
        lengths = {one: float(rng.normal(longer, 50)) for one in ids}
        return scores([], values={"win_rate_base": won}, lengths={"win_rate_base": lengths})

    margins, baseline = read_margins({"win_rate_lc_base": 3}), side(0.7, 0)
    assert "win_rate_lc_base" in gateable(baseline)
    assert check(side(0.4, 0), baseline, margins).outcome == "regressed"
    assert check(baseline, baseline, margins).outcome == "non-inferior"
    few = scores(
        [],
        values={"win_rate_base": {f"p/{i}": float(i % 2) for i in range(20)}},
        lengths={"win_rate_base": {f"p/{i}": float(i % 3 - 1) for i in range(20)}},
    )
    assert check(few, few, margins).outcome == "inconclusive"
    with pytest.raises(NotComparableError, match="extrapolates"):
        check(side(0.7, 200), baseline, margins)


def test_junit_counts_what_fails(stagelift: Callable[..., Result], tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", scores([0.0] * 400 + [1.0] * 400))
    other = write(tmp_path / "other.json", scores([1.0] * 800))
    root = ElementTree.fromstring(
        stagelift("check", one, "--baseline", other, "--format", "junit").stdout
    )
    (suite,) = root
    assert (suite.attrib["tests"], suite.attrib["failures"]) == ("1", "1")
    assert suite[0].attrib["name"] == "accuracy" and suite[0][0].attrib["type"] == "regressed"
    alien = write(tmp_path / "alien.json", scores([1.0], contract={"task": "\x1b<&>"}))
    root = ElementTree.fromstring(
        stagelift("check", one, "--baseline", alien, "--format", "junit").stdout
    )
    assert root[0].attrib["errors"] == "1"


def test_github_annotations_cannot_be_ended_by_a_name(
    stagelift: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(page))
    one = write(tmp_path / "one.json", scores([1.0] * 300))
    alien = write(tmp_path / "alien.json", scores([1.0], contract={"task": "x\n::error::y"}))
    result = stagelift("check", one, "--baseline", alien, "--format", "github")
    assert result.exit_code == 4 and len(result.stdout.splitlines()) == 1
    assert result.stdout.startswith("::error title=stagelift check::")
    assert page.read_text().startswith("# Regression check: not comparable")
    assert stagelift("check", one, "--baseline", one, "--format", "github").stdout.startswith(
        "::notice "
    )


def test_markdown_has_a_line_per_gate(stagelift: Callable[..., Result], tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", scores([1.0, 0.0] * 200))
    text = stagelift("check", one, "--baseline", one, "--format", "markdown").stdout
    assert (
        text.startswith("# Regression check: non-inferior")
        and "| accuracy, n=400 | 50.0% | 50.0% | 0.0 |" in text
    )


def test_a_run_is_blessed_and_checked_against(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    assert "No baseline" in stagelift("baseline", "show").stderr
    assert stagelift("baseline", "set", str(finished_run)).exit_code == 0
    assert (
        stagelift("baseline", "set", str(finished_run), "--stage", "sft", "--responses").exit_code
        == 0
    )
    first, second = sorted((tmp_path / "baselines" / "main").glob("*.json"))
    assert '"responses"' not in first.read_text() and '"responses"' in second.read_text()
    blessed = load_baseline("main", Path("runs"), None, baselines=tmp_path / "baselines")
    assert blessed.scores.stage == "sft"
    shown, listed = stagelift("baseline", "show").stdout, stagelift("baseline", "history").stdout
    assert "tiny/sft" in shown and shown.count("\n") == 1
    assert "tiny/grpo" in listed and listed.count("\n") == 2
    report = str(finished_run / "report.json")
    for arguments in (
        (report, "--baseline", "main", "--stage", "sft"),
        (str(finished_run), "--baseline", str(first)),
    ):
        result = stagelift("check", *arguments)
        # so few problems prove nothing, and the answer says that nothing differs
        assert result.exit_code == 3, result.output
        assert "the responses are the same bytes" in result.stdout
    assert stagelift("baseline", "set", str(finished_run), "--name", "../main").exit_code == 2


def test_the_pytest_helper_fails_with_the_table(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", scores([0.0] * 400 + [1.0] * 400))
    other = write(tmp_path / "other.json", scores([1.0] * 800))
    assert_no_regression(other, one, margins={"accuracy": 2})
    with pytest.raises(AssertionError, match="✗ regressed"):
        assert_no_regression(one, other, margins={"accuracy": 2})


def test_a_check_does_not_import_torch(tmp_path: Path) -> None:
    one = write(tmp_path / "one.json", scores([1.0] * 400))
    code = (
        "import sys; from stagelift.harness.cli import app\n"
        f"try: app(['check', {one!r}, '--baseline', {one!r}])\n"
        "except SystemExit as done: sys.exit(done.code or 'torch' in sys.modules or "
        "'transformers' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
