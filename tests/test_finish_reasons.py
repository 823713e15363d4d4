"""Why a response ended, in the words of many servers."""

import pytest

from stagelift.evals.finish_reasons import read_finish_reason, unknown_words


@pytest.mark.parametrize(
    "word",
    [
        "length",
        "LENGTH",
        "max_tokens",
        "MAX_TOKENS",
        "FinishReason.MAX_TOKENS",
        "max-tokens",
        "model_length",
        "max_new_tokens",
        "incomplete",
        "max_output_tokens",
        "limit",
        "FINISH_REASON_MAX_TOKENS",
        " Length ",
    ],
)
def test_words_of_many_servers_for_a_response_that_was_cut_off(word: str) -> None:
    assert read_finish_reason(word) == "length"


@pytest.mark.parametrize("word", ["stop", "STOP", "end_turn", "eos_token", "COMPLETE", "endoftext"])
def test_words_for_a_response_that_ended_by_itself(word: str) -> None:
    assert read_finish_reason(word) == "stop"


@pytest.mark.parametrize("word", ["content_filter", "abort", "lenght", "", "None"])
def test_any_other_word_tells_neither(word: str) -> None:
    assert read_finish_reason(word) is None


def test_words_that_tell_neither_are_counted() -> None:
    (note,) = unknown_words(["stop", "abort", None, "abort"])
    assert "'abort' of 2 responses" in note
