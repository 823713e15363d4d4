"""Values that a metric cannot have are refused before anything is compared."""

from typing import Any

import pytest

from stagelift.reports.gates.sound import refuse_unsound
from tests.gates import scores

INF, NAN = float("inf"), float("nan")


@pytest.mark.parametrize(
    ("metric", "value", "range_of_it"),
    [
        ("accuracy", 1.5, "from 0 to 1"),
        ("accuracy", -0.1, "from 0 to 1"),
        ("accuracy", NAN, "from 0 to 1"),
        ("win_rate_base", INF, "from 0 to 1"),
        ("preference_accuracy", 2, "from 0 to 1"),
        ("truncated", -1, "from 0 to 1"),
        ("pass@4", 1.01, "from 0 to 1"),
        ("length_tokens", -3, "from 0 on"),
        ("length_tokens", INF, "from 0 on"),
        ("seconds_per_response", NAN, "from 0 on"),
        ("wikitext/perplexity", -INF, "that is finite"),
        ("wikitext/perplexity", NAN, "that is finite"),
    ],
)
def test_a_value_that_cannot_be_is_named(metric: str, value: float, range_of_it: str) -> None:
    side = scores([], values={metric: {"p/0": 0.0, "p/1": value}})
    with pytest.raises(ValueError, match="here: the ") as refused:
        refuse_unsound(side, "here")
    assert "'p/1'" in str(refused.value) and range_of_it in str(refused.value)


@pytest.mark.parametrize("length", [NAN, INF])
def test_a_length_difference_is_finite(length: float) -> None:
    side = scores([1.0], lengths={"win_rate_base": {"p/0": length}})
    with pytest.raises(ValueError, match="length difference of 'p/0'"):
        refuse_unsound(side, "here")


@pytest.mark.parametrize(
    "values",
    [
        {"accuracy": {"p/0": 0.0, "p/1": 1.0, "p/2": 0.25}},
        {"wikitext/perplexity": {"p/0": -7.0}},
        {"length_tokens": {"p/0": 1e9}},
        {},
    ],
)
def test_what_can_be_is_taken(values: dict[str, Any]) -> None:
    refuse_unsound(scores([], values=values), "here")


def test_a_metric_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="no metric 'acc'"):
        refuse_unsound(scores([], values={"acc": {"p/0": 1.0}}), "here")
