"""Several imported files as one: which stages they are, and what must not differ."""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.joined import Part, join
from stagelift.evals.imports.responses import RESPONSES
from stagelift.evals.imports.results import Imported
from stagelift.evals.imports.sources import Source
from tests.test_pairing import stage


def part(file: str, *names: str, given: str | None = None, **contract: Any) -> Part:
    stages = [stage(name, {"1": "p"}) for name in names]
    return Part(
        Source(Path(file), RESPONSES, given), Imported(stages, f"m-{file}", contract, ("n",))
    )


def test_stages_are_called_by_their_files_and_know_them() -> None:
    joined = join([part("a.jsonl", "responses"), part("b.jsonl", "responses", given="sft")])
    assert [(one.name, one.file) for one in joined.stages] == [
        ("a", Path("a.jsonl")),
        ("sft", Path("b.jsonl")),
    ]
    assert joined.model == "m-a.jsonl, m-b.jsonl" and joined.notes == ("n",)


def test_a_file_of_several_stages_keeps_their_names_and_takes_none() -> None:
    joined = join([part("a.jsonl", "base", "sft"), part("b.jsonl", "dpo")])
    assert [one.name for one in joined.stages] == ["base", "sft", "dpo"]
    with pytest.raises(ValueError, match=r"holds several stages \(base, sft\)"):
        join([part("a.jsonl", "base", "sft", given="x")])
    with pytest.raises(ValueError, match="Two files have a stage 'sft'"):
        join([part("a.jsonl", "base", "sft"), part("b.jsonl", "sft")])


def test_what_files_say_otherwise_is_named_and_what_one_does_not_say_is_taken() -> None:
    with pytest.raises(ValueError, match=r"they differ in judge \('x' and 'y'\)"):
        join([part("a", "a", judge="x"), part("b", "b", judge="y")])
    joined = join([part("a", "a", judge="x", data=[1]), part("b", "b", data=[1])])
    assert joined.contract == {"judge": "x", "data": [1]}
    # which documents these are is seen from the pairing where files do not say the same
    assert join([part("a", "a", data=[1]), part("b", "b")]).contract == {}
