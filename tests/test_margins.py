"""Margins that were meant as fractions, and units that are written behind them."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.recipes.sections import Recipe
from stagelift.reports.gates.margins import read_margins, refuse_fractions
from tests.gates import scores, write


@pytest.mark.parametrize(
    ("metric", "written", "meant"),
    [
        ("accuracy", "0.02", "Did you mean 2?"),
        ("accuracy", 0.05, "Did you mean 5?"),
        ("win_rate_base", "0.03", "Did you mean 3?"),
        ("exact", "0.02", "Did you mean 2?"),
        ("length_tokens", "0.05", "Did you mean 5?"),
        ("length_tokens", "0.05 both", "in percent"),
    ],
)
def test_a_fraction_is_refused_with_the_number_that_was_meant(
    metric: str, written: object, meant: str
) -> None:
    with pytest.raises(ValueError, match="margins of it are in perc") as refused:
        refuse_fractions({metric: written})
    assert meant in str(refused.value)


@pytest.mark.parametrize(
    ("metric", "written", "size"),
    [
        ("accuracy", "0.5", 0.5),
        ("accuracy", "0.02 points", 0.02),
        ("accuracy", "2 points", 2),
        ("length_tokens", "0.05 percent", 0.05),
        ("length_tokens", "0.05 %", 0.05),
        ("length_tokens", "0.05%", 0.05),
        ("length_tokens", "10 percent both", 10),
        # text loss, seconds and other scales: percent of the baseline's mean
        ("bits_per_byte", "0.02", 0.02),
        ("seconds_per_response", "0.05", 0.05),
        ("rubrics.depth@1..5", "0.02", 0.02),
        ("wikitext/word_perplexity", "0.02", 0.02),
    ],
)
def test_an_honest_small_margin_may_stand(metric: str, written: object, size: float) -> None:
    refuse_fractions({metric: written})
    (margin,) = read_margins({metric: written})
    assert margin.size == size


@pytest.mark.parametrize(
    ("metric", "written", "says"),
    [
        ("accuracy", "2 percent", "it is in percentage points: write 2, or '2 points'"),
        ("accuracy", "2%", "it is in percentage points"),
        ("length_tokens", "10 points", "it is in percent: write 10, or '10 percent'"),
    ],
)
def test_another_unit_is_refused_with_its_own(metric: str, written: str, says: str) -> None:
    with pytest.raises(ValueError, match="is written as") as refused:
        read_margins({metric: written})
    assert says in str(refused.value)


def test_a_blessed_margin_counts_however_small() -> None:
    assert read_margins({"accuracy": "0.02"}, given_by="baseline")[0].size == 0.02


def test_a_metric_has_one_margin() -> None:
    said = CliRunner().invoke(
        app, ["check", "x", "--baseline", "y", *["--margin", "accuracy=2"] * 2]
    )
    assert said.exit_code == 2 and "says twice what 'accuracy' may lose" in said.stderr


def test_a_recipes_gates_are_no_fractions() -> None:
    written: dict[str, Any] = {"name": "x", "stages": [], "evals": {"accuracy": {"limit": 2}}}
    with pytest.raises(ValueError, match="Did you mean 2"):
        Recipe.model_validate(written | {"gates": {"accuracy": 0.02}})


def test_a_fraction_ends_a_check_before_anything_is_read() -> None:
    said = CliRunner().invoke(
        app, ["check", "no-run", "--baseline", "none", "--margin", "accuracy=0.02"]
    )
    assert said.exit_code == 2 and "Did you mean 2?" in said.stderr


def test_the_headline_names_what_decides_and_defaults_are_said_to_be_defaults(
    tmp_path: Path,
) -> None:
    worse = {"accuracy": {f"p/{n}": float(n >= 200) for n in range(400)}}
    good = {"accuracy": {f"p/{n}": 1.0 for n in range(400)}}
    one = write(tmp_path / "one.json", scores([1.0], values=worse))
    other = write(tmp_path / "other.json", scores([1.0], values=good))
    usual = CliRunner().invoke(app, ["check", one, "--baseline", other])
    first, *_ = usual.stdout.splitlines()
    assert usual.exit_code == 1
    assert "regressed on accuracy (-50.0 [" in first and "margin 2.0, a default)" in first
    assert "Nobody declared the margins of accuracy: they are defaults." in usual.stdout
    assert "--margin accuracy=2" in usual.stdout
    said = CliRunner().invoke(app, ["check", one, "--baseline", other, "--margin", "accuracy=2"])
    assert "default" not in said.stdout
