"""What is said of a run.json or node.json that cannot be read, and what is read of earlier ones."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stagelift.harness.cli import app
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder, NodeRecord
from tests.stored import make_run_file
from tests.unhashed import without

STORED = Path(__file__).parent / "data" / "earlier" / "stored"


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stored runs of earlier code, in the working folder."""
    shutil.copytree(STORED, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def stagelift(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400"})


def change(file: Path, **keys: Any) -> None:
    """Set keys of a JSON file; a key that becomes an empty list is taken out."""
    content = {**json.loads(file.read_text()), **keys}
    file.write_text(json.dumps({name: value for name, value in content.items() if value != []}))


@pytest.mark.parametrize("run", ["chain", "study", "theirs"])
def test_what_earlier_code_stored_is_written_back_as_it_was(runs: Path, run: str) -> None:
    folder = RunFolder(runs / run)
    before = json.loads(folder.file.read_text())
    folder.write(folder.read())
    without(folder.file, "sha256")
    assert json.loads(folder.file.read_text()) == before | {"schema": 2}
    assert folder.read() == RunFolder(STORED / run).read()


def test_of_one_chain_the_order_says_what_a_stage_was_trained_on(runs: Path) -> None:
    parents = {stage.name: stage.parent for stage in RunFolder(runs / "chain").read().stages}
    assert parents == {"base": None, "sft": "base", "dpo": "sft", "grpo": "dpo"}


@pytest.mark.parametrize("command", ["report", "rescore"])
@pytest.mark.parametrize(
    ("second", "problem"),
    [
        ({"name": "sft", "parent": "sft"}, "stage 'sft' comes before its parent 'sft'"),
        ({"name": "sft", "parent": "dpo"}, "stage 'sft' comes before its parent 'dpo'"),
        ({"name": "base"}, "stage 'base' is there twice"),
    ],
)
def test_stages_that_are_not_in_order_are_a_sentence(
    runs: Path, command: str, second: dict[str, str], problem: str
) -> None:
    file = runs / "chain" / "run.json"
    base, sft, *others = json.loads(file.read_text())["stages"]
    change(file, stages=[base, sft | second, *others])
    result = stagelift(command, "chain")
    assert result.exit_code == 2
    assert f"run.json cannot be read: {problem}. Repair it" in result.stderr


def test_the_first_runs_did_not_name_their_data(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "mine")
    folder.write(make_run_file(["sft-1"], recipe={"data": {"path": "rows"}}))
    without(folder.file, "data", "sha256")
    assert folder.read().data == "rows"


def test_a_missing_key_is_a_sentence_and_other_runs_are_listed(runs: Path) -> None:
    change(runs / "study" / "run.json", stages=[])
    listed = stagelift("runs")
    assert listed.exit_code == 0, listed.output
    assert "cannot be read" in listed.output and "'stages' is missing" in listed.output
    assert "chain" in listed.output and "finished" in listed.output
    reported = stagelift("report", "study")
    assert reported.exit_code == 2
    assert "run.json cannot be read: 'stages' is missing. Repair it" in reported.stderr


def test_a_later_schema_is_not_guessed_at(runs: Path) -> None:
    change(runs / "study" / "run.json", schema=3)
    reported = stagelift("report", "study")
    assert reported.exit_code == 2
    assert "has schema 3, and this stagelift reads up to 2" in reported.stderr
    assert "Update stagelift" in reported.stderr


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"device": 7}, "'device' is 7"),
        ({"stages": ["sft"]}, "'stages.0' is 'sft'"),
        ({"colour": "red"}, "'colour' is not known"),
        ({"schema": "two"}, "has schema two"),
    ],
)
def test_what_does_not_fit_is_named(runs: Path, keys: dict[str, Any], problem: str) -> None:
    change(runs / "study" / "run.json", **keys)
    with pytest.raises(ValueError, match=f"run.json.*{problem}"):
        RunFolder(runs / "study").read()


def test_a_node_says_what_it_is_with_the_number_of_its_schema(tmp_path: Path) -> None:
    node = NodeRecord(id="sft-1", kind="sft", parent="base-1", identity={"args": {"beta": 0.1}})
    folder = NodeFolder(tmp_path / "sft-1")
    folder.describe(node)
    assert folder.read() == node
    assert json.loads((tmp_path / "sft-1" / "node.json").read_text())["schema"] == 2
