"""AlpacaEval's outputs without judgements."""

from pathlib import Path

import pytest

from stagelift.evals.imports.alpaca_eval import instruction_id
from stagelift.evals.imports.alpaca_outputs import read_alpaca_outputs
from tests.imported import write_json


def test_outputs_are_responses_under_the_ids_of_annotations(tmp_path: Path) -> None:
    rows = [
        {"instruction": "Sing.", "output": "La", "generator": "m", "dataset": "helpful_base"},
        {"instruction": "Sing.", "output": "Laa", "generator": "n"},
    ]
    imported = read_alpaca_outputs(write_json(tmp_path / "model_outputs.json", rows))
    first, second = imported.stages
    assert (first.name, second.name) == ("m", "n")
    (response,) = second.generations
    assert (response.id, response.response) == (instruction_id("Sing."), "Laa")
    assert second.scores[0].n_chars == 3 and second.scores[0].correct is None


def test_an_instruction_answered_twice_is_refused(tmp_path: Path) -> None:
    rows = [{"instruction": "Sing.", "output": text} for text in ("La", "Laa")]
    with pytest.raises(ValueError, match="rows 1 and 2 are the same instruction of 'outputs'"):
        read_alpaca_outputs(write_json(tmp_path / "model_outputs.json", rows))
