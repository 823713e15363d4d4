"""Training seeds in the gate: recipes blessed, checked and told apart from single trainings."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import Result
from pydantic import ValidationError
from scipy import stats
from typer.testing import CliRunner

from stagelift.evals.files import write_text
from stagelift.harness.checks.baselines import bless, read_baseline
from stagelift.harness.cli import app
from stagelift.reports.formats.document import render_json
from stagelift.reports.gates.check import check
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.recipe_pairs import are_recipes, paired_recipes
from stagelift.reports.gates.recipe_scores import recipe_scores
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from tests.gates import scores, write
from tests.records import make_study

N = 200


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


def answers(right: int, shift: int = 0) -> list[float]:
    """So many of N problems right, others by the shift."""
    return np.roll([1.0] * right + [0.0] * (N - right), shift).tolist()


def recipe(name: str, *right: int, shift: int = 0) -> str:
    """Write the baseline of a recipe trained with several seeds, or with one."""
    by_seed = {
        seed: scores(answers(count, shift + 3 * seed), run=name, stage=f"seed={seed}/sft")
        for seed, count in enumerate(right)
    }
    if len(right) == 1:
        joined = by_seed[0].model_copy(update={"stage": "sft"})
    else:
        joined = recipe_scores("sft", by_seed)
    return write(Path(f"{name}.json"), joined)


def study(name: str, *variants: str) -> RunRecord:
    """A run of sft trained with two seeds, for every variant."""
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 40)}
    chains = []
    for variant in variants:
        for seed in (0, 1):
            sft = f"{','.join(filter(None, [variant, f'seed={seed}']))}/sft"
            stages[sft] = ("base", "c" * (20 + len(stages)) + "w" * (20 - len(stages)))
            chains.append((variant, seed, {"base": "base", "sft": sft}))
    return make_study(stages, chains, run=name)


def reported(run: RunRecord) -> str:
    """Write a run's report.json into the working folder."""
    path = Path(f"{run.name}.json")
    write_text(path, render_json(build_report([run])))
    return str(path)


def answer(stagelift: Callable[..., Result], *arguments: str) -> Any:
    return json.loads(stagelift("check", *arguments, "--format", "json").stdout)


def test_a_blessed_recipe_keeps_every_seed_and_is_checked_as_one(
    stagelift: Callable[..., Result],
) -> None:
    run = reported(study("good", ""))
    said = stagelift("baseline", "set", run)
    assert said.exit_code == 0, said.output
    assert "'sft' (recipe, 2 seeds)" in said.stdout
    blessed = read_baseline(Path("baselines/main/0001.json")).scores
    assert (blessed.stage, blessed.stages) == ("sft", ("base", "sft"))
    assert [(one.seed, one.stage) for one in blessed.trainings] == [
        (0, "seed=0/sft"),
        (1, "seed=1/sft"),
    ]
    assert "good/sft (recipe, 2 seeds)" in stagelift("baseline", "show").stdout
    found = answer(stagelift, run, "--baseline", "main", "--stage", "seed=0/sft")
    assert found["candidate"]["seeds"] == [] and found["baseline"]["seeds"] == [0, 1]
    assert "good/seed=0/sft (one training) against good/sft (recipe, 2 seeds)" in found["message"]


def test_a_variant_is_named_and_a_seed_without_result_is_missing(
    stagelift: Callable[..., Result],
) -> None:
    sweep = study("sweep", "r=4", "r=8")
    result = stagelift("baseline", "set", reported(sweep))
    assert result.exit_code == 2
    assert "name the stage that is meant with --stage. It has: base, r=4/sft, r=8/sft" in (
        result.stderr
    )
    assert stagelift("baseline", "set", "sweep.json", "--stage", "r=8/sft").exit_code == 0
    found = answer(stagelift, "sweep.json", "--baseline", "main")
    assert found["candidate"]["stage"] == "r=8/sft" and found["gates"][0]["delta"] == 0
    late = reported(replace(study("late", ""), missing=["seed=2/sft"]))
    result = stagelift("check", late, "--baseline", "main", "--stage", "sft")
    assert result.exit_code == 4 and "no result of stage 'sft' of every seed" in result.stdout


def test_two_recipes_have_the_bounds_worked_by_hand(stagelift: Callable[..., Result]) -> None:
    old, new = recipe("old", 100, 108), recipe("new", 100, 108, shift=50)
    (found,) = answer(stagelift, new, "--baseline", old, "--margin", "accuracy=2")["gates"]
    # sd of a training 4 / sqrt(2) points on both sides, 2 degrees of freedom
    over_seeds = stats.t.ppf(0.95, 2) * 0.04 / np.sqrt(2)
    assert found["delta"] == pytest.approx(0)
    assert found["high"] > over_seeds
    assert found["seeds"] == [2, 2]
    # two trainings: t(.975, 2) sqrt(2) sd
    assert found["seed_noise"] == pytest.approx(stats.t.ppf(0.975, 2) * 0.04)


def test_what_regressed_between_two_seeds_did_not_between_recipes(
    stagelift: Callable[..., Result],
) -> None:
    other, first = recipe("other", 104, shift=3), recipe("first", 125)
    checkpoints = stagelift("check", other, "--baseline", first, "--margin", "accuracy=2")
    assert checkpoints.exit_code == 1
    assert "what another training seed would do is not in it" in checkpoints.stdout
    good = recipe("good", 125, 104, 118, 107)
    single = stagelift("check", other, "--baseline", good, "--margin", "accuracy=2")
    assert single.exit_code == 3, single.output
    assert "(one training) against good/sft (recipe, 4 seeds)" in single.stdout
    assert "two trainings that differ in their seed alone may differ by up to" in single.stdout


@pytest.mark.parametrize("format", ["terminal", "markdown", "json", "junit", "github"])
def test_every_format_says_that_it_compares_recipes(
    stagelift: Callable[..., Result], format: str
) -> None:
    old, new = recipe("old", 100, 104), recipe("new", 90, 112, shift=1)
    arguments = ["check", new, "--baseline", old, "--margin", "accuracy=15", "--format", format]
    result = stagelift(*arguments)
    assert result.exit_code == 3, result.output
    assert "2 seeds a side" in result.stdout
    assert "about 3 seeds a side would tell" in result.stdout
    if format == "junit":
        (suite,) = ElementTree.fromstring(result.stdout)
        assert "recipe, 2 seeds" in (suite.findtext("system-out") or "")


def test_where_seeds_cannot_decide_it_is_said(stagelift: Callable[..., Result]) -> None:
    old, new = recipe("old", 100, 120), recipe("new", 100, 120, shift=1)
    result = stagelift("check", new, "--baseline", old, "--margin", "accuracy=2")
    assert result.exit_code == 3 and "100 seeds a side would not tell" in result.stdout


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ((100, 102, 101), (140, 142, 141), 0),
        ((140, 142, 141), (100, 102, 101), 1),
        ((100, 120), (100, 120), 3),
    ],
)
def test_recipes_have_the_exit_codes_of_a_check(
    stagelift: Callable[..., Result], old: tuple[int, ...], new: tuple[int, ...], code: int
) -> None:
    first, second = recipe("old", *old), recipe("new", *new, shift=1)
    result = stagelift("check", second, "--baseline", first, "--margin", "accuracy=2")
    assert result.exit_code == code, result.output


def test_the_same_checkpoints_are_identical_whatever_their_seeds_did() -> None:
    by_seed = {seed: scores(answers(100 + 30 * seed), answers=f"{seed}") for seed in (0, 1)}
    found = check(recipe_scores("sft", by_seed), recipe_scores("sft", by_seed))
    assert found.outcome == "identical"


def test_a_win_rate_at_equal_lengths_is_not_gated_by_recipe(
    stagelift: Callable[..., Result],
) -> None:
    good = recipe("good", 100, 104)
    result = stagelift("check", good, "--baseline", good, "--margin", "win_rate_lc_base=3")
    assert result.exit_code == 4
    assert "is fitted for one checkpoint" in result.stdout and "seed=0/sft" in result.stdout


def test_a_self_test_of_recipes_has_the_power_of_recipes(stagelift: Callable[..., Result]) -> None:
    old, new = recipe("old", 100, 108), recipe("new", 100, 108, shift=50)
    arguments = ["check", new, "--baseline", old, "--self-test", "--margin", "accuracy=2"]
    result = stagelift(*arguments)
    assert result.exit_code == 3 and "seeds 2 and 2" in result.stdout
    (found,) = json.loads(stagelift(*arguments, "--format", "json").stdout)["self_test"]
    assert found["caught"] < 0.2 and found["let_through"] <= 0.05
    alone = stagelift("check", old, "--self-test", "--margin", "accuracy=2")
    assert alone.exit_code == 3 and "(assumed)" in alone.stdout


def by_seed(*columns: list[float]) -> dict[int, StageScores]:
    return {seed: scores(column) for seed, column in enumerate(columns)}


def test_a_recipes_values_are_means_over_seeds_of_what_all_seeds_have() -> None:
    joined = recipe_scores("sft", by_seed([1.0, 0.0, 1.0], [1.0, 1.0]))
    assert list(joined.values["accuracy"].values()) == [1.0, 0.5]
    assert [one.values["accuracy"] for one in joined.trainings] == [[1.0, 0.0], [1.0, 1.0]]


def test_a_recipe_is_paired_by_problem_with_one_training() -> None:
    joined = recipe_scores("sft", by_seed([1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 1.0, 0.0]))
    single = scores([0.0, 1.0, 1.0, 0.0])
    assert are_recipes("accuracy", single, joined) and not are_recipes("accuracy", single, single)
    found = paired_recipes("accuracy", single, joined)
    assert found.seeds == (1, 2)
    assert found.pairs.differences == (-1.0, 0.5, 0.0, 0.0)
    assert found.pairs.least == found.pairs.most and found.pairs.missing == 0


def test_problems_on_one_side_are_taken_at_their_worst_in_every_seed() -> None:
    half = [1.0, 0.0] * 50
    old = recipe_scores("sft", by_seed(half, half[::-1]))
    new = recipe_scores("sft", by_seed(half[:-2], half[-3::-1]))
    margins = [Margin("accuracy", 5.0)]
    (whole,) = check(old.model_copy(update={"answers": "a"}), old, margins).gates
    (less,) = check(new, old, margins, allow_missing=2).gates
    assert less.missing == 2
    assert less.low < whole.low and less.high > whole.high


def test_a_file_of_five_seeds_and_1319_problems_is_below_a_megabyte(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    metrics = ["accuracy", "accuracy_strict", "accuracy_flexible", "truncated", "win_rate_base"]
    lengths = ["length_tokens", "length_chars"]

    def side() -> StageScores:
        values = {
            name: {
                f"gsm8k/test/{one}": float(x) for one, x in enumerate(rng.integers(0, top, 1319))
            }
            for name, top in [*((name, 2) for name in metrics), *((name, 999) for name in lengths)]
        }
        return scores([], values=values)

    joined = recipe_scores("sft", {seed: side() for seed in range(5)})
    path = bless(joined, [Margin("accuracy", 2.0)], tmp_path, "main")
    assert path.stat().st_size < 10**6
    assert read_baseline(path).scores == joined


def test_a_training_that_lacks_values_is_refused() -> None:
    joined = recipe_scores("sft", by_seed([1.0, 0.0], [1.0, 1.0]))
    content = joined.model_dump()
    content["trainings"][1]["values"]["accuracy"] = [1.0]
    with pytest.raises(ValidationError, match="seed 1 lacks values"):
        StageScores.model_validate(content)
