import math

import pytest

from stagelift.evals.records import Metric
from stagelift.evals.stats.bradley_terry import Match, bradley_terry
from stagelift.reports.numbers.ranking import rank_stages
from tests.records import make_chain


def matches(first: str, second: str, scores: list[float], prefix: str = "") -> list[Match]:
    return [Match(f"{prefix}{row}", first, second, score) for row, score in enumerate(scores)]


def ranked(played: list[Match]) -> dict[str, Metric]:
    strengths = bradley_terry(played)
    assert strengths is not None
    return strengths


def test_the_strength_of_two_models_is_the_log_odds_of_a_win() -> None:
    strengths = ranked(matches("base", "sft", [0.0] * 30 + [1.0] * 10))
    assert strengths["base"] == Metric(value=0, low=0, high=0, n=40)
    assert (strengths["sft"].value, strengths["sft"].n) == (pytest.approx(math.log(3)), 40)
    assert 0 < strengths["sft"].low < math.log(3) < strengths["sft"].high


def test_a_tie_is_half_a_win_for_either() -> None:
    ties = ranked(matches("base", "sft", [0.5] * 20 + [0.0] * 10))
    halves = ranked(matches("base", "sft", [0.0] * 20 + [1.0] * 10))
    assert ties["sft"].value == pytest.approx(halves["sft"].value)


def test_nothing_but_ties_does_not_say_how_far_two_models_may_be_apart() -> None:
    assert bradley_terry(matches("base", "sft", [0.5] * 8)) is None
    won = [1.0] * 30 + [0.5] * 10
    lost = [1 - score for score in won]
    fell_back = matches("base", "sft", lost) + matches("sft", "dpo", won)
    assert bradley_terry([*fell_back, *matches("base", "dpo", [0.5] * 40)]) is None


def test_the_order_within_a_match_does_not_matter() -> None:
    one = ranked(matches("base", "sft", [0.0, 1.0, 0.0, 0.5, 0.0]))
    turned = [Match("0", "base", "sft", 0.0), *matches("sft", "base", [0, 0.0, 1.0, 0.5, 1.0])[1:]]
    assert one["sft"].value == pytest.approx(ranked(turned)["sft"].value)


def test_models_that_never_met_are_placed_through_a_third() -> None:
    played = matches("base", "sft", [0.0] * 30 + [1.0] * 10) + matches(
        "sft", "dpo", [0.0] * 20 + [1.0] * 10
    )
    assert ranked(played)["dpo"].value == pytest.approx(math.log(3) + math.log(2))
    assert (ranked(played)["base"].n, ranked(played)["dpo"].n) == (40, 30)


def test_the_same_prompts_asked_twice_are_no_more_prompts() -> None:
    once = matches("base", "sft", [0.0] * 30 + [1.0] * 10)
    assert ranked(once * 2)["sft"].high == pytest.approx(ranked(once)["sft"].high, rel=1e-3)
    more = once + matches("base", "sft", [0.0] * 30 + [1.0] * 10, prefix="new ")
    assert ranked(more)["sft"].high < ranked(once)["sft"].high - 0.1


@pytest.mark.parametrize(
    "played",
    [
        # never lost
        matches("base", "sft", [0.0] * 10),
        matches("base", "sft", [0.0, 1.0, 0.5])
        # two groups that never met
        + matches("dpo", "grpo", [0.0, 1.0, 0.5]),
        matches("base", "sft", [0.0, 1.0, 0.5])
        # infinitely far above
        + matches("dpo", "sft", [1.0, 1.0, 1.0]),
        # one prompt has no spread
        matches("base", "sft", [0.5]),
    ],
)
def test_a_strength_that_cannot_be_placed_is_not_given(played: list[Match]) -> None:
    assert bradley_terry(played) is None


def test_the_stages_of_a_chain_are_ranked_with_base_at_zero() -> None:
    run = make_chain(base="w" * 30, sft="c" * 12 + "w" * 18, dpo="c" * 24 + "w" * 6)
    ranks = rank_stages(run)
    assert [rank.stage for rank in ranks] == ["dpo", "sft", "base"]
    assert {rank.reference for rank in ranks} == {"base"} and ranks[-1].strength.value == 0


def test_two_stages_are_not_ranked() -> None:
    assert rank_stages(make_chain(base="w" * 30, sft="c" * 30)) == []
