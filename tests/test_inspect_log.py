"""Inspect's logs, written and read by inspect_ai itself: verdicts, epochs, errors, archives."""

import json
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.imports.formats import reader_of
from stagelift.evals.imports.inspect_log import read_inspect
from stagelift.evals.imports.results import Imported
from tests.imported import values, write_json

# it takes seconds to import, and is an extra
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(find_spec("inspect_ai") is None, reason="inspect_ai is not installed"),
]


def sample(name: int | str, scores: dict[str, Any], **more: Any) -> dict[str, Any]:
    answer = {"role": "assistant", "content": more.pop("completion", "It is 18.")}
    choice = {"message": answer, "stop_reason": more.pop("stop_reason", "stop")}
    usage = {"input_tokens": 9, "output_tokens": 4, "total_tokens": 13}
    return {
        "id": name,
        "epoch": 1,
        "input": f"question {name}",
        "target": "18",
        "messages": [{"role": "user", "content": f"question {name}"}, answer],
        "output": {"model": "m", "choices": [choice], "usage": usage},
        "scores": {scorer: {"value": value} for scorer, value in scores.items()},
        "metadata": {},
        "store": {},
        "events": [],
        **more,
    }


def log(samples: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": "arithmetic",
            "task_id": "t",
            "run_id": "r",
            "created": "2025-10-21T01:12:03+02:00",
            "dataset": {"name": "d"},
            "model": "openai/gpt-4o-mini",
            "config": more.pop("config", {}),
        },
        "samples": samples,
        **more,
    }


def printed(scorer: str, **metrics: float) -> dict[str, Any]:
    named = {name: {"name": name, "value": value} for name, value in metrics.items()}
    return {
        "total_samples": 2,
        "completed_samples": 2,
        "scores": [{"name": scorer, "scorer": scorer, "metrics": named}],
    }


def read(folder: Path, content: dict[str, Any]) -> Imported:
    return read_inspect(write_json(folder / "log.json", content))


def test_verdicts_count_as_inspect_counts_them(tmp_path: Path) -> None:
    verdicts = ["C", "I", "P", "N"]
    samples = [sample(place, {"match": verdict}) for place, verdict in enumerate(verdicts)]
    imported = read(tmp_path, log(samples, results=printed("match", accuracy=0.375)))
    (stage,) = imported.stages
    assert values(stage) == {"arithmetic/accuracy,match": [1, 0, 0.5, 0]}
    assert (stage.name, imported.contract, imported.notes) == (
        "openai/gpt-4o-mini",
        {"task": "arithmetic"},
        (),
    )
    first = stage.generations[0]
    assert (first.id, first.response, first.n_tokens, first.finish_reason) == (
        "arithmetic/0",
        "It is 18.",
        4,
        "stop",
    )
    assert stage.scores[0].correct and stage.documents["arithmetic/0"].prompt == "question 0"


def test_numbers_are_means_and_keys_are_scores_of_their_own(tmp_path: Path) -> None:
    samples = [
        sample("a", {"f1": 0.25, "graded": {"style": 4, "right": True}}),
        sample("b", {"f1": 1.0, "graded": {"style": 2, "right": False}}),
    ]
    assert values(read(tmp_path, log(samples)).stages[0]) == {
        "arithmetic/mean,f1": [0.25, 1],
        "arithmetic/mean,graded.style": [4, 2],
        "arithmetic/accuracy,graded.right": [1, 0],
    }


def test_epochs_are_samples_of_a_document(tmp_path: Path) -> None:
    samples = [
        sample("a", {"match": "C"}),
        sample("a", {"match": "I"}, epoch=2, completion="17"),
        sample("b", {"match": "C"}),
    ]
    config = {"epochs": 2, "epochs_reducer": ["at_least_1"]}
    imported = read(tmp_path, log(samples, config=config))
    (stage,) = imported.stages
    assert values(stage) == {"arithmetic/accuracy,match": [0.5, 1]}
    assert [(row.id, row.sample) for row in stage.generations] == [
        ("arithmetic/a", 0),
        ("arithmetic/a", 1),
        ("arithmetic/b", 0),
    ]
    assert "Inspect reduced epochs by at_least_1" in " ".join(imported.notes)


def test_errors_cancelled_logs_and_samples_without_a_score_are_said(tmp_path: Path) -> None:
    error = {"message": "timeout", "traceback": "", "traceback_ansi": ""}
    samples = [
        sample("a", {"match": "C"}, stop_reason="max_tokens"),
        sample("b", {}, error=error),
        sample("c", {"match": float("nan")}),
    ]
    imported = read(tmp_path, log(samples, status="cancelled"))
    (stage,) = imported.stages
    assert values(stage) == {"arithmetic/accuracy,match": [1]}
    assert [row.finish_reason for row in stage.generations] == ["length", "stop"]
    said = " ".join(imported.notes)
    assert "the evaluation is 'cancelled': 3 samples" in said
    assert "1 of 3 samples ended in an error" in said
    assert "1 samples have no number of scorer 'match'" in said


def test_what_inspect_printed_is_compared(tmp_path: Path) -> None:
    samples = [sample("a", {"match": "C"}), sample("b", {"match": "I"})]
    said = read(tmp_path, log(samples, results=printed("match", accuracy=0.75))).notes
    assert (
        "arithmetic/accuracy,match is 0.75, and the mean of its 2 documents here is 0.5" in said[0]
    )


def test_letters_of_choices_are_no_numbers(tmp_path: Path) -> None:
    choices = {"choices": ["17", "18"], "target": "B", "completion": "ANSWER: B"}
    (stage,) = read(tmp_path, log([sample("a", {"choice": "C"}, **choices)])).stages
    assert values(stage) == {"arithmetic/accuracy,choice": [1]}
    assert stage.scores[0].correct is None


def test_an_archive_that_inspect_wrote_is_read(tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log, write_eval_log

    file = write_json(tmp_path / "log.json", log([sample("a", {"match": "C"})]))
    write_eval_log(read_eval_log(file), tmp_path / "log.eval")
    assert reader_of(tmp_path / "log.eval").name == reader_of(file).name == "inspect"
    as_archive, as_json = read_inspect(tmp_path / "log.eval"), read_inspect(file)
    assert values(as_archive.stages[0]) == values(as_json.stages[0])
    assert as_archive.stages[0].generations == as_json.stages[0].generations


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"version": 99, "status": "success", "eval": {}},
            r"inspect_ai cannot read \S+: eval\.\w+: Field required\.$",
        ),
        (log([]), "holds no samples"),
        (log([sample("a", {}), sample("a", {})]), "epoch 1 of sample 'a' 2 times"),
    ],
)
def test_logs_that_cannot_be_are_refused(content: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=words):
        read(tmp_path, content)


def test_an_archive_with_a_name_that_leads_out_never_reaches_inspect(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.eval", "w") as archive:
        archive.writestr("header.json", json.dumps(log([])))
        archive.writestr("../../outside.json", "{}")
    with pytest.raises(ValueError, match="leads out of the archive"):
        read_inspect(tmp_path / "x.eval")


def test_without_inspect_ai_it_is_said_how_to_install_it(tmp_path: Path) -> None:
    file = write_json(tmp_path / "log.json", log([sample("a", {})]))
    programme = (
        "import sys; sys.modules['inspect_ai'] = None\n"
        "from pathlib import Path\n"
        "from stagelift.evals.imports.inspect_log import read_inspect\n"
        f"read_inspect(Path({str(file)!r}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", programme], capture_output=True, text=True, check=False
    )
    assert "pip install inspect_ai" in done.stderr
