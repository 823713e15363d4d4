"""What a misspelt name was meant to be."""

import pytest

from stagelift.evals.nearest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("correctnes", "correctness"),
        ("BREVITY", "brevity"),
        ("correct", "correctness"),
        ("kindness", None),
        ("", None),
        (17, None),
        ("x" * 1_000_000, None),
    ],
)
def test_the_nearest_is_found_whatever_its_capital_letters(name: object, meant: str | None) -> None:
    assert nearest(name, ["correctness", "brevity"]) == meant


def test_the_name_that_is_returned_is_written_as_it_is_known() -> None:
    assert nearest("question", ["Question", "Answer"]) == "Question"


def test_what_others_call_it_counts_before_what_is_spelt_nearly_so() -> None:
    assert nearest("rank", ["r", "ranks"], {"rank": "r"}) == "r"
    assert nearest("alpha", ["r", "lora_alpha"], {"rank": "r"}) == "lora_alpha"


def test_a_sentence_is_there_only_where_there_is_something_to_say() -> None:
    assert did_you_mean("tniy", ["tiny", "two"]) == " Did you mean 'tiny'?"
    assert did_you_mean("main", []) == ""
