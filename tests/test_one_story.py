"""Interval, verdict and plan of every comparison tell one story, whatever the records say."""

import random
from collections.abc import Iterator

import pytest

from stagelift.evals.stats.families import ALPHA
from stagelift.reports.numbers.compare import Comparison, compare_stages
from stagelift.reports.numbers.verdicts import SHOWN
from tests.records import make_chain

UP = ("improved", "longer", "slower")


def enumerated() -> Iterator[dict[str, str]]:
    """Every way that up to five problems can be gained, lost or stay, two at a time."""
    tables = [
        ("w" * gained + "c" * lost + "w" * same, "c" * gained + "w" * lost + "w" * same)
        for gained in range(4)
        for lost in range(4)
        for same in (0, 2)
        if gained + lost + same
    ]
    for before, after in tables:
        yield {"base": before, "sft": after}


def drawn() -> Iterator[dict[str, str]]:
    chance = random.Random(15)
    for _ in range(20):
        n = chance.choice([3, 9, 20, 60])
        weights = [[chance.random() ** 3 + 0.01 for _ in "cwtu"] for _ in range(3)]
        yield {
            name: "".join(chance.choices("cwtu", one, k=n))
            for name, one in zip(("base", "sft", "dpo"), weights, strict=True)
        }


def judged(comparisons: list[Comparison]) -> Iterator[Comparison]:
    return (found for found in comparisons if found.verdict != "extrapolated")


@pytest.mark.parametrize("letters", [*enumerated(), *drawn()])
def test_a_verdict_says_what_its_interval_and_its_family_say(letters: dict[str, str]) -> None:
    for found in judged(compare_stages([make_chain(**letters)])):
        assert found.p_adjusted is not None and found.level is not None
        leaves_out_zero = found.low > 0 or found.high < 0
        is_shown = found.verdict in SHOWN
        assert found.low < found.high, "no interval is without width"
        assert leaves_out_zero == (found.verdict in (*SHOWN, "not after Holm"))
        assert is_shown == (leaves_out_zero and found.p_adjusted < ALPHA)
        assert (found.p < found.level) == (found.p_adjusted < ALPHA)
        if is_shown and found.metric != "truncated":
            assert (found.low > 0) == (found.verdict in UP)
        if is_shown and found.metric == "truncated":
            assert (found.low > 0) == (found.verdict == "regressed")
        # what was not shown is smaller than what would be, and would take more problems
        if not is_shown and found.difference.step is not None:
            assert found.mde is None or abs(found.delta) < found.mde
            assert found.needed is None or found.needed > found.n


@pytest.mark.parametrize("letters", [*drawn()])
def test_each_family_is_adjusted_for_its_own_tests(letters: dict[str, str]) -> None:
    found = list(judged(compare_stages([make_chain(**letters)])))
    for family in ("headline", "other"):
        own = [one for one in found if one.family == family]
        for one in own:
            assert one.tests is not None and one.p_adjusted is not None
            assert one.p <= one.p_adjusted <= min(1.0, one.tests * one.p) + 1e-12
    headline = {one.metric for one in found if one.family == "headline" and one.against != "base"}
    assert {"accuracy", "length_tokens"} <= headline
