import pytest

from stagelift.reports.numbers.values import better
from stagelift.reports.words.formatting import is_share, ordered
from tests.records import make_score, make_stage

STAGE = make_stage("base", [make_score("a", True), make_score("b", True)])


@pytest.mark.parametrize(
    ("metric", "direction"),
    [
        ("accuracy", 1),
        ("length_tokens", -1),
        ("pass@4", 1),
        # "answer" holds "wer"
        ("bbh_cot/exact_match,get-answer", 1),
        ("wikitext/word_perplexity", -1),
        ("asr/wer", -1),
    ],
)
def test_which_direction_is_better(metric: str, direction: int) -> None:
    assert better(metric) == direction


@pytest.mark.parametrize(
    ("metric", "share"),
    [
        ("win_rate_lc_base", True),
        ("length_chars_preference", False),
        ("mmlu/acc", True),
        ("ifeval/prompt_level_strict_acc", True),
        ("gsm8k/exact_match,strict-match", True),
        # lm-eval gives it in percent
        ("truthfulqa_gen/rouge1_max", False),
        ("wikitext/word_perplexity", False),
    ],
)
def test_shares_are_told_from_other_numbers(metric: str, share: bool) -> None:
    assert is_share(metric) is share


def test_metrics_stand_in_the_order_of_a_report() -> None:
    names = [
        "mmlu/acc",
        "length_tokens",
        "pass@16",
        "pass@2",
        "win_rate_base",
        "accuracy_strict",
        "accuracy",
    ]
    assert ordered(names) == [
        "accuracy",
        "accuracy_strict",
        "pass@2",
        "pass@16",
        "win_rate_base",
        "length_tokens",
        "mmlu/acc",
    ]
