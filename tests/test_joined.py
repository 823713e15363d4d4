"""Several imported files as one: which stages they are, and what must not differ."""

import math
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.joined import Part, join
from stagelift.evals.imports.responses import RESPONSES
from stagelift.evals.imports.results import Imported, ImportedStage
from stagelift.evals.imports.shared_metrics import share_metrics
from stagelift.evals.imports.sources import Source
from stagelift.evals.records import TaskScore
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


def test_no_common_document_of_a_metric_has_no_remedy_but_to_import_apart() -> None:
    stages = [
        ImportedStage(name, [], [], [], {"t": [TaskScore(id=one, metric="t/f1", value=1)]})
        for name, one in (("base", "1"), ("sft", "2"))
    ]
    with pytest.raises(ValueError, match=r"t/f1 .* Import the stages apart"):
        share_metrics(stages, common=True)


@pytest.mark.parametrize("value", [1e308, -1e16, math.inf, math.nan])
def test_a_value_that_nothing_can_be_computed_of_is_refused_with_its_file(value: float) -> None:
    scores = [TaskScore(id="t/1", metric="t/f1", value=value)]
    stages = [ImportedStage("base", [], [], [], {"t": scores})]
    one = Part(Source(Path("a.jsonl"), RESPONSES), Imported(stages, "m", {}))
    with pytest.raises(ValueError, match=r"a\.jsonl: t/f1 of id 't/1' is "):
        join([one])
