"""A metric is written, cut off and judged by what its record says, not by what it is not."""

import pytest

from stagelift.evals.records import Metric
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
    assert largest_difference("mt_bench/score", [6.0, 7.5]) is None


def test_an_interval_over_seeds_is_cut_off_at_the_metrics_own_ends_only() -> None:
    points = mean_over_seeds("mt_bench/score", [6.1, 6.4, 6.9])
    share = mean_over_seeds("accuracy", [0.8, 0.9, 1.0])
    added = mean_over_seeds("accuracy", [-0.9, -0.5, -1.0], difference=True)
    assert points is not None and (points.low > 1, points.high > 6.9) == (True, True)
    assert share is not None and share.high == 1.0
    assert added is not None and added.low == -1.0


def test_a_mean_over_prompts_is_cut_off_at_the_metrics_own_ends_only() -> None:
    assert mean_of("accuracy", [0.5, 1.0, 1.0]).high == 1.0
    assert mean_of("length_tokens", [0.5, 1.0, 1.0]).high > 1.0
    assert largest_difference("length_tokens", [0.5, 1.0]) is None
    assert largest_difference("accuracy", [0.5]) == 1.0


@pytest.mark.parametrize(
    ("metric", "delta", "p", "verdict"),
    [
        ("accuracy", 0.1, 0.01, "improved"),
        ("accuracy", -0.1, 0.01, "regressed"),
        ("length_tokens", -5.0, 0.01, "improved"),
        ("length_tokens", 5.0, 0.01, "regressed"),
        ("wikitext/word_perplexity", 1.0, 0.049, "regressed"),
        ("accuracy", 0.1, 0.05, "no difference shown"),
        ("accuracy", 0.0, None, "identical"),
    ],
)
def test_a_verdict_follows_from_p_and_direction(
    metric: str, delta: float, p: float | None, verdict: str
) -> None:
    assert decide(metric, delta, p) == verdict
