"""promptfoo's results: providers and prompts as stages, tests as documents."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.formats import reader_of
from stagelift.evals.imports.promptfoo import read_promptfoo
from tests.imported import values, write_json


def result(topic: str, provider: Any, score: float, **more: Any) -> dict[str, Any]:
    return {
        "provider": provider,
        "prompt": {"raw": f"Write about {topic}", "label": "plain"},
        "vars": {"topic": topic},
        "response": {"output": f"On {topic}", "tokenUsage": {"completion": 3}},
        "success": score == 1,
        "score": score,
        "namedScores": {"tone": score / 2},
        **more,
    }


def write(path: Path, results: list[Any], version: int = 3) -> Path:
    return write_json(path, {"results": {"version": version, "results": results}, "config": {}})


def test_providers_are_stages_and_tests_documents(tmp_path: Path) -> None:
    rows = [
        result(topic, {"id": provider}, score)
        for provider, score in (("openai:a", 1.0), ("openai:b", 0.5))
        for topic in ("cats", "dogs")
    ]
    file = write(tmp_path / "out.json", rows)
    assert reader_of(file).name == "promptfoo"
    first, second = read_promptfoo(file).stages
    assert (first.name, second.name) == ("openai:a", "openai:b")
    assert values(second) == {
        "promptfoo/pass": [0, 0],
        "promptfoo/score": [0.5, 0.5],
        "promptfoo/tone": [0.25, 0.25],
    }
    assert first.documents.keys() == second.documents.keys()
    response = first.generations[0]
    assert (response.prompt, response.response, response.n_tokens) == (
        "Write about cats",
        "On cats",
        3,
    )


def test_several_prompts_are_stages_and_failed_requests_are_counted(tmp_path: Path) -> None:
    other = {"raw": "Sing about cats", "label": "sung"}
    failed = result("cats", "openai:a", 0.0, prompt=other, response=None, error="429")
    imported = read_promptfoo(
        write(tmp_path / "out.json", [result("cats", "openai:a", 1.0), failed], version=2)
    )
    assert [stage.name for stage in imported.stages] == ["openai:a, plain", "openai:a, sung"]
    assert imported.stages[1].generations == []
    assert "1 of 2 requests failed" in imported.notes[0]


@pytest.mark.parametrize(
    ("rows", "version", "words"),
    [
        ([result("cats", "a", 1.0)], 4, "of version 4 of promptfoo's format"),
        ([result("cats", "a", 1.0), {}], 3, "result 2: provider: Field required"),
        ([], 3, "has no results"),
    ],
)
def test_what_is_not_known_is_refused(
    rows: list[Any], version: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        read_promptfoo(write(tmp_path / "out.json", rows, version))
