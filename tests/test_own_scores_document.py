"""What docs/own-scores.md shows works as it stands there: its files and its commands."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

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


class Judge(BaseHTTPRequestHandler):
    """Says 4 of an answer that greets, and nothing that can be read of others."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        is_polite = "Dear" in asked["messages"][0]["content"]
        message = {"role": "assistant", "content": "4" if is_polite else "who knows"}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        reply = {"id": "1", "object": "chat.completion", "created": 0, "model": "judge"}
        body = json.dumps({**reply, "choices": [choice]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


@pytest.mark.real
def test_a_rubric_is_judged_by_a_model_behind_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {file["name"]: file["content"] for file in FILE.finditer(DOCUMENT.read_text())}
    mine: dict[str, Any] = {}
    exec(files["my_scorers.py"], mine)
    with HTTPServer(("127.0.0.1", 0), Judge) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("RUBRIC_URL", f"http://127.0.0.1:{server.server_port}/v1")
        row = {"target": "Ann"}
        assert mine["letter_judged"]("Dear Ann, thank you.", row) == 4
        assert mine["letter_judged"]("No.", row) is None
        server.shutdown()


@pytest.mark.real
def test_hostile_queries_are_wrong_and_end_nothing() -> None:
    files = {file["name"]: file["content"] for file in FILE.finditer(DOCUMENT.read_text())}
    mine: dict[str, Any] = {}
    exec(files["my_scorers.py"], mine)
    row = {"target": "SELECT COUNT(*) FROM people", "people": [{"name": "ann", "age": 30}]}
    assert mine["sql_equal"]("```sql\nselect count(name) from people;\n```", row)
    for query in (
        "",
        "DROP TABLE people",
        "ATTACH 'x.db' AS x",
        "SELECT zeroblob(1000000000)",
        "SELECT 1\0",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) FROM n",
    ):
        assert not mine["sql_equal"](query, row)
