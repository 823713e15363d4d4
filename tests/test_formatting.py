"""A metric is written, cut off and judged by what its record says, not by what it is not."""

import pytest

from stagelift.evals.records import Metric
from stagelift.evals.stats.difference import Difference
from stagelift.reports.numbers.seeds import mean_over_seeds
from stagelift.reports.numbers.values import largest_difference, mean_of
from stagelift.reports.numbers.verdicts import decide
from stagelift.reports.words import formatting


def written(name: str, value: float, low: float, high: float) -> str:
    return formatting.value(name, Metric(value=value, low=low, high=high, n=40))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("accuracy", "84.0% [80.0, 88.0]"),
        ("mmlu/acc", "84.0% [80.0, 88.0]"),
        ("length_tokens", "0.8 [0.8, 0.9]"),
        ("mt_bench/score", "0.8 [0.8, 0.9]"),
    ],
)
def test_only_a_share_is_written_in_percent(name: str, text: str) -> None:
    assert written(name, 0.84, 0.8, 0.88) == text


def test_a_score_of_six_of_ten_points_is_no_share() -> None:
    assert written("mt_bench/score", 6.4, 6.1, 6.7) == "6.4 [6.1, 6.7]"
    assert formatting.change("mt_bench/score", 0.4) == "+0.4"
    assert formatting.size("mt_bench/score", 0.25) == "0.2"
    assert largest_difference("mt_bench/score", [6.0, 7.5]) == 7.5
    assert largest_difference("wikitext/loglikelihood", [-9.0, -2.0]) == 9.0


def test_an_interval_over_seeds_is_cut_off_at_the_metrics_own_ends_only() -> None:
    points = mean_over_seeds("mt_bench/score", [6.1, 6.4, 6.9])
    share = mean_over_seeds("accuracy", [0.8, 0.9, 1.0])
    added = mean_over_seeds("accuracy", [-0.9, -0.5, -1.0], difference=True)
    assert points is not None and (points.low > 1, points.high > 6.9) == (True, True)
    assert share is not None and share.high == 1.0
    assert added is not None and added.low == -1.0


def test_a_mean_over_prompts_is_cut_off_at_the_metrics_own_ends_only() -> None:
    assert mean_of("accuracy", [0.5, 1.0, 1.0]).high <= 1.0
    assert mean_of("length_tokens", [0.5, 1.0, 1.0]).high > 1.0
    assert largest_difference("length_tokens", [20, 60]) == 60
    assert largest_difference("length_tokens", [0]) == 1
    assert largest_difference("accuracy", [0.5]) == 1.0


@pytest.mark.parametrize(
    ("metric", "delta", "p", "verdict"),
    [
        ("accuracy", 0.1, 0.01, "improved"),
        ("accuracy", -0.1, 0.01, "regressed"),
        ("truncated", -0.1, 0.01, "improved"),
        ("length_tokens", -5.0, 0.01, "shorter"),
        ("length_tokens", 5.0, 0.01, "longer"),
        ("seconds_per_response", 5.0, 0.01, "slower"),
        ("wikitext/word_perplexity", 1.0, 0.049, "regressed"),
        ("accuracy", 0.1, 0.05, "not after Holm"),
    ],
)
def test_a_verdict_follows_from_the_interval_its_adjusted_p_and_the_direction(
    metric: str, delta: float, p: float, verdict: str
) -> None:
    assert decide(metric, interval(delta, delta / 2, delta * 2), p) == verdict


def test_an_interval_that_holds_zero_shows_nothing() -> None:
    assert decide("accuracy", interval(0.1, -0.1, 0.3), 0.01) == "no difference shown"


def interval(delta: float, *ends: float) -> Difference:
    return Difference(delta, min(ends), max(ends), n=40, p=0.01, sd=1.0, units=40)


def test_an_end_next_to_zero_does_not_look_like_zero() -> None:
    assert formatting.change_interval("accuracy", 0.0001, 0.2) == "[+0.01, +20.0]"
    assert formatting.change_interval("accuracy", -0.2, -0.0001) == "[-20.0, -0.01]"
    assert formatting.change_interval("accuracy", 0.00001, 0.2) == "[+0.00, +20.0]"
    assert formatting.change_interval("accuracy", 0.0, 0.2) == "[0.0, +20.0]"
    assert formatting.change_interval("accuracy", -0.0001, 0.2) == "[0.0, +20.0]"


def test_a_p_next_to_one_in_twenty_says_on_which_side_it_is() -> None:
    written = [formatting.p_value(p) for p in (0.0004, 0.041, 0.0496, 0.0502)]
    assert written == ["p < 0.001", "p = 0.041", "p = 0.0496", "p = 0.0502"]
