"""What each metric is: one record for every name, and an error that names the nearest for any
other.
"""

from math import inf

import pytest

from stagelift.evals.metrics.length import length_metrics
from stagelift.evals.metrics.measures import (
    FIXED,
    SHARE,
    UnknownMetricError,
    as_judged,
    at_equal_lengths,
    measure,
    ordered,
    quantiles,
    rows,
    win_rate_name,
    without_stand_ins,
)
from stagelift.evals.stats import estimates
from stagelift.reports.numbers.values import mean_of
from tests.records import make_score


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("accuracy", "more"),
        ("length_tokens", "less"),
        ("truncated_preference", "less"),
        ("pass@4", "more"),
        ("pass@4_sampled", "more"),
        ("sampled_accuracy", "more"),
        # "answer" holds "wer"
        ("bbh_cot/exact_match,get-answer", "more"),
        ("wikitext/word_perplexity", "less"),
        ("asr/wer", "less"),
    ],
)
def test_which_direction_is_better(metric: str, direction: str) -> None:
    assert measure(metric).better == direction


@pytest.mark.parametrize(
    ("metric", "unit"),
    [
        ("win_rate_lc_base", "share"),
        ("length_chars_preference", "characters"),
        ("length_tokens_p90", "tokens"),
        ("mmlu/acc", "share"),
        ("ifeval/prompt_level_strict_acc", "share"),
        ("gsm8k/exact_match,strict-match", "share"),
        # lm-eval gives it in percent
        ("truthfulqa_gen/rouge1_max", "points"),
        ("wikitext/word_perplexity", "points"),
    ],
)
def test_shares_are_told_from_other_numbers(metric: str, unit: str) -> None:
    assert measure(metric).unit == unit


def test_metrics_stand_in_the_order_of_a_report() -> None:
    names = [
        "mmlu/acc",
        "length_tokens",
        "pass@16",
        "pass@2",
        "win_rate_base",
        "sampled_accuracy",
        "accuracy_strict",
        "accuracy",
    ]
    assert ordered(names) == [
        "accuracy",
        "accuracy_strict",
        "sampled_accuracy",
        "pass@2",
        "pass@16",
        "win_rate_base",
        "length_tokens",
        "mmlu/acc",
    ]


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("acuracy", "accuracy"),
        ("win_rate_bas", "win_rate_base"),
        ("length_token", "length_tokens"),
        ("truncated_preferences", "truncated_preference"),
        ("pass@0", "pass@1"),
        ("pass@k_held_out", "pass@1_held_out"),
        ("pass@k_sampled", "pass@1_sampled"),
    ],
)
def test_an_unknown_name_is_an_error_that_names_the_nearest(name: str, nearest: str) -> None:
    said = f"There is no metric '{name}'. Did you mean '{nearest}'"
    with pytest.raises(UnknownMetricError, match=said):
        measure(name)


@pytest.mark.parametrize("name", ["", "pass@0", "pass@", "pass@2_preference", "/acc", "mmlu/"])
def test_what_only_looks_like_a_name_is_none(name: str) -> None:
    with pytest.raises(UnknownMetricError):
        measure(name)


def test_a_pass_at_k_knows_its_k_and_its_problems() -> None:
    solved = measure("pass@16_held_out")
    assert (solved.k, solved.group, solved.bare, solved.title) == (
        16,
        "held_out",
        "pass@16",
        "held-out pass@16",
    )


def test_a_task_of_lm_eval_is_read_off_its_name() -> None:
    known = measure("leaderboard/mmlu_pro/acc_norm,none-of-them")
    assert (known.title, known.bare, known.group) == (
        "leaderboard/mmlu_pro",
        "acc_norm,none-of-them",
        None,
    )
    assert known.reading == "acc_norm,none-of-them"


def test_a_win_rate_and_the_one_at_equal_lengths_know_each_other() -> None:
    raw = win_rate_name("previous", "preference")
    assert raw == "win_rate_previous_preference"
    assert at_equal_lengths(raw) == "win_rate_lc_previous_preference"
    assert as_judged("win_rate_lc_previous_preference") == raw
    assert as_judged("accuracy") == "accuracy"


def test_characters_are_left_out_where_tokens_are_known() -> None:
    assert without_stand_ins(["length_tokens", "length_chars"]) == ["length_tokens"]
    assert without_stand_ins(["length_chars", "accuracy"]) == ["length_chars", "accuracy"]
    both = ["length_chars_preference", "length_tokens"]
    assert without_stand_ins(both) == both


def test_quantiles_stand_in_the_row_of_their_mean() -> None:
    names = ["length_tokens", "length_tokens_median", "length_tokens_p90", "win_rate_previous"]
    assert rows(names, with_previous=False) == ["length_tokens"]
    assert rows(names, with_previous=True) == ["win_rate_previous", "length_tokens"]
    assert [known.name for known in quantiles("length_tokens")] == names[1:3]


def test_a_share_lies_between_nothing_and_all() -> None:
    for known in FIXED:
        assert (known.bounds == (0.0, 1.0)) == (known.unit == "share"), known.name


def test_whatever_has_a_margin_is_a_headline_and_has_a_noun_or_is_a_cost() -> None:
    gated = [known for known in FIXED if known.margin is not None]
    critical = [known.name for known in gated if not known.supporting]
    assert critical == ["accuracy", "win_rate_base", "length_tokens"]
    assert [known.name for known in gated if known.supporting] == [
        "looping",
        "instructions_followed",
        "choice_acc_norm",
        "bits_per_byte",
    ]
    assert all(known.headline and bool(known.noun) != known.supporting for known in gated)


def test_an_interval_reaches_no_further_than_a_metric_of_ours_can_be() -> None:
    nothing = {
        name: measure(name).ends
        for name in ("length_tokens", "seconds_per_response", "bits_per_byte")
    }
    assert set(nothing.values()) == {(0.0, inf)}
    assert measure("accuracy").ends == measure("choice_acc").ends == SHARE
    assert measure("task/points").ends is None, "nobody knows what a metric of others can be"


def test_what_is_stored_of_a_length_is_what_is_shown_over_seeds() -> None:
    """One response of 90 tokens and seven of one: t's interval begins below nothing."""
    scores = [make_score(f"p/{i}", True, n) for i, n in enumerate([90] + [1] * 7)]
    lengths = [float(score.n_tokens or 0) for score in scores]
    assert estimates.mean(lengths).low < 0
    stored, shown = length_metrics(scores)["length_tokens"], mean_of("length_tokens", lengths)
    assert (stored.low, stored.high) == (shown.low, shown.high) and stored.low == 0
