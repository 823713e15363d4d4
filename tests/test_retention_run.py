"""The retention suite in a whole run, and what follows: contract, report, check, rescore."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.settings import RetentionSettings
from stagelift.harness.cli import app
from stagelift.harness.graph.contract import RETENTION
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import as_written, load_recipe
from stagelift.reports.formats.explorer import problems
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from tests.in_process import run_recipe
from tests.unhashed import unhashed

SIZES = "evals.retention={instructions: 20, choices: 20, passages: 8, max_tokens: 12}"


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def test_a_recipe_that_does_not_name_it_stays_as_it_was(tiny_recipe: Path) -> None:
    without = load_recipe(str(tiny_recipe), [])
    off = load_recipe(str(tiny_recipe), ["evals.retention=false"])
    nothing = load_recipe(
        str(tiny_recipe), ["evals.retention={instructions: 0, choices: 0, passages: 0}"]
    )
    assert without == off == nothing
    assert "retention" not in without.identity()["evals"]
    assert "retention" not in as_written(without)["evals"]
    contract = make_plan(without).contract
    assert not {*RETENTION} & {*contract}
    on = make_plan(load_recipe(str(tiny_recipe), [SIZES])).contract
    assert {*on} - {*contract} == {*RETENTION}
    assert {field: on[field] for field in contract} == contract
    assert on["retention_choices"] == "choices-1, 20 questions"
    part = make_plan(load_recipe(str(tiny_recipe), ["evals.retention={choices: 0}"])).contract
    assert "retention_choices" not in part and "retention_text" in part


def test_the_quickstart_has_it_and_a_size_beyond_what_there_is_is_refused(
    stagelift: Callable[..., Result],
) -> None:
    asked = load_recipe("quickstart", []).evals.retention
    assert asked == RetentionSettings(instructions=48, choices=120, passages=24, max_tokens=96)
    in_words = load_recipe("quickstart", ["evals.retention=true"]).evals.retention
    assert in_words == RetentionSettings()
    refused = stagelift("plan", "quickstart", "--set", "evals.retention.choices=121")
    assert refused.exit_code == 2 and "choices" in refused.output and "120" in refused.output


@pytest.mark.real
def test_a_run_is_measured_reported_checked_and_read_again(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    text = tiny_recipe.read_text()
    short = text[: text.index("  - dpo:")] + text[text.index("evals:") :]
    tiny_recipe.write_text(short)
    run_recipe(load_recipe(str(tiny_recipe), [SIZES]), tmp_path / "runs")
    record = read_run(tmp_path / "runs" / "tiny")
    base, sft = record.stages
    measured = sft.evaluation.metrics
    assert {name: measured[name].n for name in ("instructions_followed", "choice_acc")} == {
        "instructions_followed": 20,
        "choice_acc": 20,
    }
    assert (measured["instructions_followed"].clusters, measured["choice_acc"].clusters) == (16, 10)
    assert measured["bits_per_byte"].n == 8 and measured["bits_per_byte"].value > 0
    assert "looping" in measured and "looping_instructions" in measured
    assert sum(sft.evaluation.outcomes.values()) == 12
    # both stages were asked the same, and differ
    bits = [stage.stored_values["bits_per_byte"] for stage in (base, sft)]
    assert bits[0].keys() == bits[1].keys() and bits[0] != bits[1]
    explored = problems(build_report([record]))
    assert "instructions" in explored.index["groups"]
    assert '"violated":"' in "".join(explored.chunks)
    report = stagelift("report", "tiny", "--full")
    assert report.exit_code == 0 and "Gained and lost" in report.output
    checked = stagelift("check", "tiny", "--baseline", "tiny", "--format", "json")
    gates = {gate["metric"]: gate["tier"] for gate in json.loads(checked.output)["gates"]}
    assert gates["bits_per_byte"] == gates["instructions_followed"] == "supporting"
    again = stagelift("rescore", "tiny")
    assert again.exit_code == 0, again.output
    assert read_run(tmp_path / "runs" / "tiny") == record
    planned = json.loads(
        stagelift("plan", str(tiny_recipe), "--set", SIZES, "--format", "json").output
    )
    effects = {found["metric"]: found for found in planned["minimum_detectable_effect"]}
    assert effects["bits_per_byte"]["earlier"] is not None
    assert effects["choice_acc_norm"]["n"] == 20
    assert effects["choice_acc_norm"]["clusters"] == 10


@pytest.mark.real
def test_a_changed_log_probability_is_a_contradiction(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    text = tiny_recipe.read_text()
    tiny_recipe.write_text(
        text[: text.index("  - sft:")].replace("stages:", "stages: []")
        + text[text.index("evals:") :]
    )
    run_recipe(load_recipe(str(tiny_recipe), [SIZES]), tmp_path / "runs")
    (file,) = (tmp_path / "runs" / "nodes").rglob("passages.jsonl")
    first, *rest = file.read_text().splitlines()
    row = json.loads(first)
    file.write_text("\n".join([json.dumps(row | {"nats": row["nats"] / 2}), *rest]) + "\n")
    noticed = stagelift("report", "tiny")
    assert noticed.exit_code == 2 and "passages.jsonl is not what was written" in noticed.output
    unhashed(tmp_path / "runs")
    refused = stagelift("report", "tiny")
    assert refused.exit_code == 2 and "bits_per_byte" in refused.output
