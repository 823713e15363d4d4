"""Why `columns` cannot rename, and what to write."""

from pathlib import Path

import pytest

from stagelift.evals.data.own_rows import load_own
from stagelift.evals.data.renamed import no_such_column
from stagelift.evals.data.source import Source, column_names


@pytest.mark.parametrize(
    ("columns", "present", "says"),
    [
        ({"prompt": "question"}, ["question"], ""),
        ({"question": "prompt"}, ["question"], "Write columns: {prompt: question}"),
        (
            {"question": "prompt", "target": "answer"},
            ["question", "answer"],
            "Write columns: {prompt: question, target: answer}",
        ),
        ({"prompt": "Question"}, ["question", "answer"], "Did you mean 'question' for 'Question'?"),
        ({"prompt": "qestion"}, ["prompt", "question"], "Did you mean 'question' for 'qestion'?"),
        ({"question": "Question"}, ["question"], "Did you mean 'question' for 'Question'?"),
        ({"Question": "question"}, ["Question"], "Write columns: {question: Question}"),
        ({"answers": "answer"}, ["answers"], "Write columns: {answer: answers}"),
        ({"prompt": "zzz"}, ["question", "answer"], "Its columns: question, answer."),
    ],
)
def test_a_mapping_that_cannot_be_is_put_right(
    columns: dict[str, str], present: list[str], says: str
) -> None:
    said = no_such_column(columns, present)
    assert says in said if says else said == ""


def test_a_turned_mapping_is_said_of_rows_that_are_trained_on_and_asked(tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    file.write_text('{"question": "a", "target": "b"}\n')
    source = Source(path=str(file), columns={"question": "prompt"})
    for read in (lambda: column_names(source), lambda: load_own("mine", source, "test", None)):
        with pytest.raises(ValueError, match=r"Write columns: \{prompt: question\}"):
            read()
