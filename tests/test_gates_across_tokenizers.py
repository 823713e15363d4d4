"""Sides of a check whose tokenizers differ."""

import pytest

from stagelift.reports.gates.check import check
from stagelift.reports.gates.margins import read_margins
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import StageScores


def side(tokenizer: str | None, tokens: float) -> StageScores:
    problems = [f"p{number}" for number in range(40)]
    return StageScores(
        run="run",
        stage="sft",
        contract_id="c",
        contract={},
        opponent="o",
        values={
            "accuracy": {one: float(place % 2) for place, one in enumerate(problems)},
            "length_tokens": dict.fromkeys(problems, tokens),
            "length_chars": dict.fromkeys(problems, 100.0),
        },
        lengths={},
        tokenizer=tokenizer,
    )


def test_lengths_in_tokens_are_gated_where_the_tokenizer_is_one() -> None:
    for tokenizers in (("a", "a"), ("a", None), (None, None)):
        candidate, baseline = (side(tokenizer, 30.0) for tokenizer in tokenizers)
        gated = [gate.metric for gate in check(candidate, baseline).gates]
        assert gated == ["accuracy", "length_tokens"]


def test_lengths_in_tokens_of_two_tokenizers_are_not_compared() -> None:
    answer = check(side("a", 30.0), side("b", 90.0))
    assert [gate.metric for gate in answer.gates] == ["accuracy"]
    assert any("different tokenizers" in note for note in answer.notes)
    with pytest.raises(NotComparableError, match="Gate length_chars instead") as raised:
        check(side("a", 30.0), side("b", 90.0), read_margins({"length_tokens": 10}))
    assert raised.value.field == "tokenizer"
    gated = check(side("a", 30.0), side("b", 90.0), read_margins({"length_chars": 10}))
    assert [gate.metric for gate in gated.gates] == ["length_chars"]
