"""`stagelift plan` through the command, on a finished run and on nothing: what it says, and that it
writes nothing.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.harness.cli import app
from tests.shared import copied


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def planned(stagelift: Callable[..., Result], *arguments: str) -> dict[str, Any]:
    result = stagelift("plan", *arguments, "--format", "json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.output))


def jobs(plan: dict[str, Any]) -> list[tuple[str, str, bool, str]]:
    return [
        (node["name"], job["what"], job["done"], job["basis"])
        for node in plan["nodes"]
        for job in node["jobs"]
    ]


def test_a_plan_of_nothing_yet_is_a_tree_of_guesses(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path
) -> None:
    before = set(tmp_path.rglob("*"))
    result = stagelift("plan", str(tiny_recipe))
    assert result.exit_code == 0, result.output
    for words in (
        "4 nodes in 1 chain",
        "no earlier ones of this machine",
        "3 trainings, 4 evaluations",
        "└── sft",
    ):
        assert words in result.output
    # seven jobs and their sum
    assert result.output.count("a guess") == 8
    assert "Smallest change that the report would likely call shown" in result.output
    assert "assumed: 20% change" in result.output
    assert set(tmp_path.rglob("*")) == before


def test_a_finished_run_has_nothing_to_do_and_its_costs_are_measured(
    stagelift: Callable[..., Result], tiny_recipe_file: Path, finished_run: Path
) -> None:
    plan = planned(stagelift, str(tiny_recipe_file), "--runs", str(finished_run.parent))
    assert (plan["to_do"], plan["trainings_avoided"]) == ({"trainings": 0, "evaluations": 0}, 0)
    assert {(done, basis) for _, _, done, basis in jobs(plan)} == {(True, "measured")}
    result = stagelift("plan", str(tiny_recipe_file), "--runs", str(finished_run.parent))
    assert "nothing: everything is trained and evaluated" in result.output


def test_what_another_seed_shares_is_done_and_the_rest_rests_on_records(
    stagelift: Callable[..., Result], tiny_recipe_file: Path, finished_run: Path
) -> None:
    seeds = "--name", "seeds", "--set", "seeds=[0,1]", "--runs", str(finished_run.parent)
    plan = planned(stagelift, str(tiny_recipe_file), *seeds)
    assert (plan["chains"], plan["to_do"]["trainings"], plan["to_do"]["evaluations"]) == (2, 3, 4)
    found = {(name, what): (done, basis) for name, what, done, basis in jobs(plan)}
    assert found["base", "evaluate"] == (True, "measured")
    assert found["seed=0/grpo", "evaluate again"] == (False, "same settings")
    assert (
        found["seed=1/sft", "train"] == found["seed=1/sft", "evaluate"] == (False, "same settings")
    )
    assert plan["to_do"]["basis"] == "same settings"
    (accuracy, held_out) = plan["minimum_detectable_effect"]
    assert (accuracy["n"], held_out["n"]) == (12, 4)
    assert (accuracy["clusters"], held_out["clusters"]) == (None, 4)
    said = stagelift("plan", str(tiny_recipe_file), *seeds).output
    assert "evaluate again: the same model is asked once more" in said


def test_variants_name_the_one_that_differences_are_to_and_power_is_of_one_seed(
    stagelift: Callable[..., Result], tiny_recipe: Path
) -> None:
    variants = "--set", "variants={lora.r: [2, 4]}", "--set", "reference=r=4"
    assert planned(stagelift, str(tiny_recipe), *variants)["reference"] == "r=4"
    said = " ".join(stagelift("plan", str(tiny_recipe), *variants).output.split())
    assert "reference r=4: the differences of the other variants are to it" in said
    assert "Both are of one training: how much another seed would change" in said
    assert "accuracy, against r=4" in said
    assert "rank 2 and 4 all have lora_alpha 8" in said


def test_a_lattice_says_which_trainings_its_chains_share(
    stagelift: Callable[..., Result], tiny_recipe: Path
) -> None:
    result = stagelift("plan", str(tiny_recipe), "--set", "lattice=true")
    assert "8 nodes in 8 chains: 7 trainings, not 12, as chains share nodes" in result.output
    assert "│   └── sft+grpo" in result.output


def test_data_that_cannot_be_reached_is_no_reason_not_to_plan(
    stagelift: Callable[..., Result], tiny_recipe: Path
) -> None:
    result = stagelift("plan", str(tiny_recipe), "--set", "stages.dpo.dataset.path=no-such/dataset")
    assert result.exit_code == 0, result.output
    assert "its data cannot be read here" in result.output
    assert "1 job left out that cannot be estimated" in " ".join(result.output.split())


def test_a_recipe_with_an_error_is_one_sentence(
    stagelift: Callable[..., Result], tiny_recipe: Path
) -> None:
    result = stagelift("plan", str(tiny_recipe), "--set", "stages.sft.args.learnin_rate=1")
    assert result.exit_code == 2
    assert "did you mean 'learning_rate'?" in result.stderr and "\n" not in result.stderr.strip()


def test_a_run_of_another_recipe_in_the_folder_is_refused(
    stagelift: Callable[..., Result], tiny_recipe: Path, finished_run: Path, tmp_path: Path
) -> None:
    copied(finished_run, tmp_path / "runs" / "tiny")
    result = stagelift("plan", str(tiny_recipe), "--set", "seed=3")
    assert result.exit_code == 2 and "holds a run of another recipe" in result.stderr
