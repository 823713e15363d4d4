"""The gallery's tables of imported chains add up, and say what their intervals say. What is said of
our own runs stands in their reports.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from stagelift.harness.recipes.read import load_recipe

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"
TEXT = (GALLERY / "imported.md").read_text(encoding="utf-8")
RECIPES = sorted((GALLERY / "gsm8k-0.5b").glob("*.yaml"))
NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


class Row(NamedTuple):
    """A line of a table: what it is of, before, what was added, after, and the verdict."""

    label: str
    before: list[float]
    added: list[float]
    after: list[float]
    verdict: str


def numbers(cell: str) -> list[float]:
    return [float(number) for number in NUMBER.findall(cell)]


def tables() -> list[list[Row]]:
    found: list[list[Row]] = []
    for block in re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE):
        lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in block.splitlines()]
        found.append(
            [
                Row(line[0], *map(numbers, line[1:4]), line[4])
                for line in lines[2:]
                if len(line) == 5
            ]
        )
    return found


ROWS = [row for table in tables() for row in table]


def test_every_table_was_found() -> None:
    assert [len(table) for table in tables()] == [7, 7, 4]


@pytest.mark.parametrize("row", [row for row in ROWS if row.added], ids=lambda row: row.label)
def test_what_a_stage_added_is_the_difference_and_lies_in_its_interval(row: Row) -> None:
    # each of the three is rounded to a tenth
    assert abs(row.after[0] - row.before[0] - row.added[0]) < 0.16
    for value, *interval in (row.before, row.added, row.after):
        assert not interval or interval[0] <= value <= interval[1]
    if row.verdict:
        leaves_out_zero = row.added[1] > 0 or row.added[2] < 0
        assert leaves_out_zero == (row.verdict != "no difference shown")


def test_win_rates_are_of_the_wins_and_ties_that_stand_below() -> None:
    for rates, counts in pairwise(ROWS):
        if counts.label.startswith("wins") and rates.label.endswith("against Vicuna"):
            for rate, (wins, ties, losses) in (
                (rates.before, counts.before),
                (rates.after, counts.after),
            ):
                assert wins + ties + losses == 80
                assert abs(rate[0] - 100 * (wins + ties / 2) / 80) <= 0.051


def test_what_was_published_is_what_was_imported() -> None:
    by_label = {row.label: row for table in tables()[:2] for row in table}
    for label in ("win rate", "characters", "total of 80 scores", "Vicuna's total beside it"):
        printed, ours = by_label[f"{label}, published"], by_label[label]
        for theirs, mine in ((printed.before, ours.before), (printed.after, ours.after)):
            # lengths are printed cut off, not rounded
            assert abs(theirs[0] - mine[0]) < (1 if label == "characters" else 0.051)


def test_vicunas_win_rates_are_what_the_others_leave() -> None:
    left = {
        tuple(round(100 - number, 1) for number in (cell[0], cell[2], cell[1]))
        for row in ROWS
        if row.label == "win rate against Vicuna"
        for cell in (row.before, row.after)
    }
    said = re.findall(r"([\d.]+)%\s+\[([\d.]+), ([\d.]+)\]", TEXT.split("In more than")[1])
    assert {tuple(map(float, numbers)) for numbers in said} == left


def test_every_interval_of_our_runs_stands_in_one_of_their_reports() -> None:
    reports = "".join(recipe.with_suffix(".md").read_text(encoding="utf-8") for recipe in RECIPES)
    text = (GALLERY / "gsm8k-0.5b.md").read_text(encoding="utf-8")
    said = re.findall(r"[+-]?[\d.]+%? \[[\d., +-]+\]", text)
    assert len(said) > 30
    reported = reports.replace("\\[", "[").replace("\\]", "]")
    assert [one for one in said if one not in reported] == []


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_report_of_the_gallery_is_of_the_recipe_beside_it(recipe: Path) -> None:
    report = recipe.with_suffix(".md").read_text(encoding="utf-8")
    assert report.startswith(f"# What each stage added: {load_recipe(str(recipe), []).name}\n")
    assert f"({recipe.stem}.svg)" in report and recipe.with_suffix(".svg").exists()
