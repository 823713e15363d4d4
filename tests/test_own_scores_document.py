"""What docs/own-scores.md shows works as it stands there: its files and its commands."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stagelift.reports.folders import RunFolder
from stagelift.reports.records import read_run
from tests.shared import made_once

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "own-scores.md"
FILE = re.compile(r"^`(?P<name>[\w.-]+)`[^\n]*:\n\n```\w+\n(?P<content>.*?)^```", re.M | re.S)
COMMANDS = re.compile(r"^```sh\n(.*?)^```", re.M | re.S)
# on a random model, and shorter
SMALLER = [
    "lora.target_modules=[q_proj,v_proj]",
    "lora.r=4",
    "model.dtype=float32",
]


@pytest.fixture(scope="session")
def worked_examples(shared: Path, tiny_model: Path) -> Path:
    """A folder in which the page's files were written and its commands run, one after the other."""

    def make(folder: Path) -> None:
        text = DOCUMENT.read_text()
        for file in FILE.finditer(text):
            (folder / file["name"]).write_text(file["content"])
        for block in COMMANDS.findall(text):
            for line in block.splitlines():
                run(shlex.split(line), folder, tiny_model)

    return made_once(shared, "worked_examples", make)


def run(words: list[str], folder: Path, model: Path) -> None:
    if words[0] == "python":
        command = [sys.executable, *words[1:]]
    else:
        command = [sys.executable, "-m", "stagelift", *words[1:]]
    if words[1] in ("plan", "run"):
        ((kind, _),) = yaml.safe_load((folder / words[2]).read_text())["stages"][0].items()
        steps = f"stages.{kind}.args"
        settings = [*SMALLER, f"model.path={model}", f"{steps}.max_steps=2"]
        settings += [f"{steps}.max_completion_length=8"]
        command += [part for setting in settings for part in ("--set", setting)]
    project = str(DOCUMENT.parent.parent)
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": project},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"


@pytest.mark.real
@pytest.mark.parametrize(
    ("run", "trained", "metrics"),
    [
        ("labels", "grpo", {"choice", "exact"}),
        ("receipts", "grpo", {"json", "json-2", "regex"}),
        ("queries", "grpo", {"my_scorers.sql_equal", "contains"}),
        (
            "letters",
            "rloo",
            {
                "accuracy",
                "letters:my_scorers.letter_rubric@1..5",
                "letters:contains",
                "labels:choice",
            },
        ),
    ],
)
def test_every_worked_example_trains_and_measures_its_scores(
    worked_examples: Path, run: str, trained: str, metrics: set[str]
) -> None:
    record = read_run(RunFolder(worked_examples / "runs" / run).path)
    assert [stage.name for stage in record.stages] == ["base", trained]
    for stage in record.stages:
        assert metrics <= {*stage.evaluation.metrics}
        assert not [one for score in stage.scores for one in score.scored.values() if one.failure]


@pytest.mark.real
def test_the_page_shows_every_file_that_its_recipes_name() -> None:
    names = {file["name"] for file in FILE.finditer(DOCUMENT.read_text())}
    assert names == {
        "make_rows.py",
        "my_scorers.py",
        "labels.yaml",
        "receipts.yaml",
        "receipt.json",
        "queries.yaml",
        "letters.yaml",
    }
