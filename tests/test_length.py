"""Length metrics of literal scores, and the unit in which a report compares lengths."""

import pytest

from stagelift.evals.metrics.length import length_metrics
from stagelift.evals.records import Score
from stagelift.reports.plots.prompt_lengths import known_unit, prompt_lengths
from tests.records import make_score, make_stage


def scores(*lengths: int) -> list[Score]:
    return [make_score(f"p/{i}", True, length) for i, length in enumerate(lengths)]


def without_tokens(of: list[Score]) -> list[Score]:
    return [score.model_copy(update={"n_tokens": None}) for score in of]


def test_mean_median_and_ninth_decile_are_over_prompts() -> None:
    metrics = length_metrics(scores(*range(1, 102)))
    assert metrics["length_tokens"].value == 51
    assert metrics["length_tokens_median"].value == 51
    assert metrics["length_tokens_p90"].value == pytest.approx(91, abs=1)
    assert metrics["length_chars"].value == 4 * 51
    assert {metric.n for metric in metrics.values()} == {101}


def test_a_prompt_with_more_samples_counts_once() -> None:
    often = [make_score("p/0", True, 10, sample) for sample in range(9)]
    metrics = length_metrics([*often, make_score("p/1", True, 30)])
    assert (metrics["length_tokens"].value, metrics["length_tokens"].n) == (20, 2)


def test_a_share_reached_the_limit() -> None:
    cut = scores(96)[0].model_copy(update={"id": "cut", "truncated": True})
    assert length_metrics([cut, *scores(10, 20, 30)])["truncated"].value == 0.25


def test_tokens_that_one_response_lacks_are_not_measured_and_characters_are() -> None:
    mixed = [*scores(10), *without_tokens(scores(0, 20))[1:]]
    metrics = length_metrics(mixed)
    assert "length_tokens" not in metrics and metrics["length_chars"].n == 2


def test_nothing_has_no_length() -> None:
    assert length_metrics([]) == {}


def test_a_report_compares_in_characters_where_one_stage_knows_no_tokens() -> None:
    tokens = make_stage("base", scores(10, 20))
    characters = make_stage("sft", without_tokens(scores(10, 20)))
    assert known_unit([tokens, tokens]) == "tokens"
    assert known_unit([tokens, characters]) == "characters"


def test_the_length_of_a_prompt_is_the_mean_of_its_samples() -> None:
    samples = [make_score("p/0", True, 10), make_score("p/0", True, 20, sample=1)]
    stage = make_stage("base", samples)
    assert prompt_lengths(stage, "tokens") == {"p/0": 15}
    assert prompt_lengths(stage, "characters") == {"p/0": 60}
    assert prompt_lengths(make_stage("base", without_tokens(samples)), "tokens") == {}
