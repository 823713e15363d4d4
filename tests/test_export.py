"""Runs in the layout of lm-eval and in the schema of Every Eval Ever, read back by others."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from lm_eval.utils import (
    get_file_task_name,
    get_latest_filename,
    get_results_filenames,
    get_sample_results_filenames,
    make_table,
)
from typer.testing import CliRunner

from stagelift.evals.files import write_text
from stagelift.evals.imports.sources import find_sources
from stagelift.harness.cli import app
from stagelift.harness.exporting import export
from stagelift.reports.exports.every_eval_ever import SCHEMA
from stagelift.reports.exports.lm_eval import lm_eval_files
from stagelift.reports.exports.values import plain_name
from stagelift.reports.records import RunRecord, read_run
from tests.records import make_chain

STORED = Path(__file__).parent / "data" / "earlier" / "stored"
TEXT = {"type": "string"}
NUMBER = {"type": "number"}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def an_object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """A schema of an object that has these names and no others."""
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional,
        "additionalProperties": False,
    }


# the parts of Every Eval Ever's schema that a run of ours uses, in words of our own
INTERVAL = an_object({"lower": NUMBER, "upper": NUMBER}, confidence_level=NUMBER)
LIMIT = {"anyOf": [NUMBER, {"enum": ["Infinity", "-Infinity", None]}]}
RESULT = an_object(
    {
        "evaluation_name": TEXT,
        "source_data": an_object(
            {"dataset_name": TEXT, "source_type": {"const": "other"}}, additional_details=TEXTS
        ),
        "metric_config": {
            "type": "object",
            "required": ["lower_is_better", "score_type", "min_score", "max_score"],
            "properties": {
                "lower_is_better": {"type": "boolean"},
                "score_type": {"const": "continuous"},
                "min_score": LIMIT,
                "max_score": LIMIT,
            },
        },
        "score_details": an_object(
            {"score": NUMBER},
            details=TEXTS,
            uncertainty=an_object(
                {"confidence_interval": INTERVAL}, num_samples={"type": "integer"}
            ),
        ),
    },
    evaluation_result_id=TEXT,
    generation_config=an_object(
        {},
        generation_args=an_object({}, temperature=NUMBER, max_tokens={"type": "integer"}),
        additional_details=TEXTS,
    ),
)
MODEL_DETAILS = {
    "type": "object",
    "required": ["deployment_type", "model_availability"],
    "properties": {
        "deployment_type": {"enum": ["self_deployed", "externally_managed", "unknown"]},
        "model_availability": {"enum": ["open_weights", "closed_weights", "unknown"]},
    },
    "additionalProperties": TEXT,
}
UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
RUN_LEVEL = an_object(
    {
        "schema_version": {"const": SCHEMA},
        "evaluation_id": TEXT,
        "retrieved_timestamp": {"type": "string", "pattern": r"^\d+(\.\d+)?$"},
        "source_metadata": an_object(
            {
                "source_type": {"enum": ["documentation", "evaluation_run"]},
                "source_organization_name": TEXT,
                "evaluator_relationship": {"const": "other"},
            },
            source_name=TEXT,
        ),
        "model_info": an_object(
            {"name": TEXT, "id": TEXT, "additional_details": MODEL_DETAILS},
            inference_engine=an_object({"name": TEXT}),
        ),
        "eval_library": an_object({"name": TEXT, "version": TEXT}, additional_details=TEXTS),
        "evaluation_results": {"type": "array", "items": RESULT, "minItems": 1},
    },
    evaluation_timestamp=TEXT,
    detailed_evaluation_results=an_object(
        {
            "format": {"const": "jsonl"},
            "file_path": {
                "type": "string",
                "pattern": rf"^data/[^/]+/[^/]+/[^/]+/{UUID4}_samples\.jsonl$",
            },
        },
        hash_algorithm={"const": "sha256"},
        checksum=TEXT,
        total_rows={"type": "integer"},
    ),
)
ATTRIBUTION = an_object(
    {
        "turn_idx": {"const": 0},
        "source": TEXT,
        "extracted_value": TEXT,
        "extraction_method": TEXT,
        "is_terminal": {"const": True},
    }
)
INSTANCE_LEVEL = an_object(
    {
        "schema_version": {"const": SCHEMA},
        "evaluation_id": TEXT,
        "model_id": TEXT,
        "evaluation_name": TEXT,
        "sample_id": TEXT,
        "interaction_type": {"const": "single_turn"},
        "input": an_object(
            {"raw": TEXT, "reference": {"type": "array", "items": TEXT}}, formatted=TEXT
        ),
        "output": an_object({"raw": {"type": "array", "items": TEXT}}),
        "answer_attribution": {"type": "array", "items": ATTRIBUTION},
        "evaluation": an_object({"score": NUMBER, "is_correct": {"type": "boolean"}}),
    },
    evaluation_result_id=TEXT,
    sample_hash=TEXT,
    metadata=TEXTS,
)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def chain() -> RunRecord:
    return read_run(STORED / "chain")


@pytest.fixture(scope="module")
def of_lm_eval(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export(STORED / "chain", "lm-eval", tmp_path_factory.mktemp("lm-eval"))


@pytest.fixture(scope="module")
def of_every_eval(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return export(STORED / "chain", "every-eval-ever", tmp_path_factory.mktemp("eee"))


def test_the_tools_of_lm_eval_find_the_files_and_print_the_numbers(
    of_lm_eval: list[Path], chain: RunRecord
) -> None:
    for stage in chain.stages:
        names = [str(file) for file in of_lm_eval if file.parent.name == f"chain__{stage.name}"]
        newest = get_latest_filename(get_results_filenames(names))
        table = make_table(json.loads(Path(newest).read_text()))
        accuracy = stage.evaluation.metrics["accuracy"].value
        assert f"{accuracy:.4f}" in table and "strict-match" in table and "exact_match" in table
        samples = [Path(name).name for name in get_sample_results_filenames(names)]
        assert "schoolmath" in {get_file_task_name(name) for name in samples}


def test_the_mean_over_rows_is_the_result_of_every_metric_and_filter(
    of_lm_eval: list[Path],
) -> None:
    results = {
        file.parent: json.loads(file.read_text()) for file in of_lm_eval if "results_" in file.name
    }
    seen = 0
    for file in of_lm_eval:
        if "results_" in file.name:
            continue
        told = results[file.parent]["results"][get_file_task_name(file.name)]
        values: dict[str, list[float]] = {}
        for row in lines(file):
            for metric in row["metrics"]:
                values.setdefault(f"{metric},{row['filter']}", []).append(row[metric])
        for name, found in values.items():
            assert told[name] == pytest.approx(sum(found) / len(found)), name
            seen += 1
    assert seen > 10


def test_our_own_import_reads_the_same_accuracies_back(
    of_lm_eval: list[Path], chain: RunRecord, tmp_path: Path
) -> None:
    for stage in chain.stages:
        (file,) = [
            file
            for file in of_lm_eval
            if file.parent.name == f"chain__{stage.name}" and "samples_schoolmath_2" in file.name
        ]
        command = ["import", str(file), "--as", "lm-eval", "--name", stage.name]
        done = CliRunner().invoke(app, [*command, "--runs", str(tmp_path)])
        assert done.exit_code == 0, done.output
        back = read_run(tmp_path / stage.name).stages[0].evaluation.metrics
        for name in ("accuracy", "accuracy_strict", "accuracy_flexible"):
            assert back[name] == stage.evaluation.metrics[name], name


def test_the_same_run_is_exported_to_the_same_bytes(
    of_lm_eval: list[Path], of_every_eval: list[Path], tmp_path: Path
) -> None:
    for files, layout in ((of_lm_eval, "lm-eval"), (of_every_eval, "every-eval-ever")):
        arguments = ["export", "chain", str(tmp_path / layout), "--format", layout]
        done = CliRunner().invoke(app, [*arguments, "--runs", str(STORED)])
        assert done.exit_code == 0 and f"{len(files)} files" in done.stderr
        again = sorted(path for path in (tmp_path / layout).rglob("*") if path.is_file())
        assert [file.read_bytes() for file in again] == [
            file.read_bytes() for file in sorted(files)
        ]


@pytest.mark.parametrize("run", ["chain", "study", "theirs"])
def test_documents_and_lines_follow_the_schema_of_every_eval_ever(run: str, tmp_path: Path) -> None:
    files = export(STORED / run, "every-eval-ever", tmp_path, "stagelift's tests")
    assert files
    for file in files:
        if file.suffix == ".json":
            document = json.loads(file.read_text())
            Draft7Validator(RUN_LEVEL).validate(document)
            detailed = document["detailed_evaluation_results"]
            assert len(lines(tmp_path / detailed["file_path"])) == detailed["total_rows"]
        else:
            for line in lines(file):
                Draft7Validator(INSTANCE_LEVEL).validate(line)


def test_the_lines_of_a_result_have_its_score_as_their_mean(of_every_eval: list[Path]) -> None:
    for file in of_every_eval:
        if file.suffix != ".json":
            continue
        rows = lines(file.with_name(f"{file.stem}_samples.jsonl"))
        for result in json.loads(file.read_text())["evaluation_results"]:
            name = result["evaluation_result_id"]
            scores = [r["evaluation"]["score"] for r in rows if r["evaluation_result_id"] == name]
            is_accuracy = result["metric_config"]["metric_kind"] == "accuracy"
            assert bool(scores) == is_accuracy
            if scores:
                mean = sum(scores) / len(scores)
                assert mean == pytest.approx(result["score_details"]["score"])


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["export", "chain", str(tmp_path / "file"), "--format", "lm-eval"]
    done = CliRunner().invoke(app, [*arguments, "--runs", str(STORED)])
    assert done.exit_code == 2 and "is a file. Name a folder" in done.stderr
    arguments = ["export", "nothing", str(tmp_path / "new"), "--format", "lm-eval"]
    done = CliRunner().invoke(app, [*arguments, "--runs", str(STORED)])
    assert done.exit_code == 2 and not (tmp_path / "new").exists()


def test_no_name_leads_out_of_the_folder(chain: RunRecord) -> None:
    assert plain_name("../../etc/passwd") == "_.._etc_passwd"
    assert plain_name("..") == "unnamed" and plain_name("gsm8k/é") == "gsm8k_"
    names = lm_eval_files(chain, datetime(2026, 1, 2, tzinfo=UTC))
    assert {len(name.parts) for name in names} == {2}


def test_stages_come_back_in_the_order_of_the_run_whatever_they_are_called(tmp_path: Path) -> None:
    run = make_chain("demo", base="wc" * 4, zebra="c" * 8, dpo="cw" * 4, ant="c" * 8)
    for path, text in lm_eval_files(run, datetime(2026, 1, 1, tzinfo=UTC)).items():
        write_text(tmp_path / "out" / path, text)
    found = find_sources([str(tmp_path / "out")])
    assert [source.path.name for source in found.taken] == [
        f"demo__{stage}" for stage in ("base", "zebra", "dpo", "ant")
    ]
