"""Runs through the command, read back with what each tracker has for reading."""

import io
import json
import sqlite3
import struct
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from stagelift.evals.files import append_records
from stagelift.stages.folders import NodeFolder
from tests.processes import finish, in_training, interrupted, kill_all, start
from tests.shared import copied
from tests.test_trackers import Points, one_stage, row, scalars, writer

# of the tiny recipe, alone
FIRST_STAGE = (
    "stages=[sft: {args: {max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, "
    "save_steps: 1}}]"
)
# one metric of every stage, with its interval
SHOWN = ("length_tokens", "length_tokens_low", "length_tokens_high", "length_tokens_n")


def measured(runs: Path, kind: str) -> dict[str, float]:
    """Return that metric of a stage as `result.json` has it, by the names that trackers show."""
    (file,) = runs.glob(f"nodes/{kind}-*/evals/*/result.json")
    metric = json.loads(file.read_text())["metrics"]["length_tokens"]
    values = (metric[part] for part in ("value", "low", "high", "n"))
    return dict(zip((f"eval/{name}" for name in SHOWN), values, strict=True))


def logged(runs: Path, kind: str) -> Points:
    """Return the losses that a stage logged."""
    (file,) = runs.glob(f"nodes/{kind}-*/training.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    return [(row["step"], row["logs"]["loss"]) for row in rows]


def in_single_precision(points: Points) -> Points:
    """Return points as TensorBoard keeps them."""
    return [(step, float(np.float32(value))) for step, value in points]


def in_mlflow(folder: Path) -> dict[str, dict[str, Points]]:
    """Return every curve of every run in a folder's database, by the run's name."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("tiny")
    assert experiment is not None
    return {
        str(run.info.run_name): {
            name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
            for name in run.data.metrics
        }
        for run in client.search_runs([experiment.experiment_id])
    }


def in_wandb(folder: Path) -> dict[str, list[dict[str, float]]]:
    """Return the history of every offline run by its name, as `wandb sync` would upload it."""
    from wandb.proto.wandb_internal_pb2 import Record

    runs: dict[str, list[dict[str, float]]] = {}
    for file in folder.glob("wandb/offline-run-*/*.wandb"):
        name, history = "", []
        for content in leveldb_records(file.read_bytes()[7:]):
            record = Record.FromString(content)
            name = record.run.display_name or name
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                history.append(
                    {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in items}
                )
        runs[name] = history
    return runs


def leveldb_records(log: bytes) -> Iterator[bytes]:
    """Yield the records of a log in LevelDB's format, whose first block is seven bytes shorter."""
    content, block_ends, place = b"", 32768 - 7, 0
    while place + 7 <= len(log):
        if block_ends - place < 7:
            place, block_ends = block_ends, block_ends + 32768
            continue
        size, kind = struct.unpack_from("<HB", log, place + 4)
        content += log[place + 7 : place + 7 + size]
        place += 7 + size
        # 1 is a whole record, 4 the last part of one
        if kind in (1, 4):
            yield content
            content = b""


def in_trackio(folder: Path) -> dict[str, list[tuple[int, dict[str, float]]]]:
    """Return all that the database of the project holds, by the run's name."""
    runs: dict[str, list[tuple[int, dict[str, float]]]] = {}
    with sqlite3.connect(folder / "trackio" / "tiny.db") as database:
        rows = database.execute("select run_name, step, metrics from metrics order by id")
        for name, step, metrics in rows.fetchall():
            runs.setdefault(name, []).append((step, json.loads(metrics)))
    return runs


@pytest.mark.real
def test_a_finished_run_is_written_to_every_tracker_once_and_stays_as_it_was(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    runs = copied(finished_run.parent, tmp_path / "runs")
    before = (runs / "tiny" / "run.json").read_bytes()
    words = ["run", str(tiny_recipe_file), "--set", "report_to=all"]
    for _ in range(2):
        process = start(*words, folder=tmp_path, TRACKIO_DIR=str(tmp_path / "trackio"))
        output = finish(process)
        assert process.returncode == 0 and "Note" not in output, output
    assert (runs / "tiny" / "run.json").read_bytes() == before
    mlflow, wandb, trackio = in_mlflow(tmp_path), in_wandb(tmp_path), in_trackio(tmp_path)
    for kind, last in (("base", 0), ("sft", 12), ("dpo", 6), ("grpo", 5)):
        name, shown = f"tiny/{kind}", measured(runs, kind)
        losses = [] if kind == "base" else logged(runs, kind)
        board = scalars(runs / "tiny" / "tensorboard" / kind)
        assert board.get("train/loss", []) == in_single_precision(losses)
        assert mlflow[name].get("train/loss", []) == losses
        for metric, value in shown.items():
            assert board[metric] == [(last, pytest.approx(value))]
            assert mlflow[name][metric] == [(last, value)]
        *steps, evaluated = wandb[name]
        assert [(row["train/global_step"], row["train/loss"]) for row in steps] == losses
        assert evaluated["train/global_step"] == last and shown.items() <= evaluated.items()
        *rows, (step, final) = trackio[name]
        assert [(at, values["train/loss"]) for at, values in rows] == losses
        assert step == last and shown.items() <= final.items()


@pytest.mark.real
def test_a_run_that_was_killed_is_reported_as_one_and_trains_the_same(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    words = ["run", str(tiny_recipe_file), "--set", "report_to=[tensorboard, mlflow]"]
    words += ["--set", FIRST_STAGE]
    runs = tmp_path / "runs"
    interrupted(start(*words, folder=tmp_path), in_training(runs, "sft", 6), kill_all)
    again = start(*words, folder=tmp_path)
    output = finish(again)
    assert again.returncode == 0, output
    mlflow = in_mlflow(tmp_path)
    assert set(mlflow) == {"tiny/base", "tiny/sft"}
    losses = logged(runs, "sft")
    board = scalars(runs / "tiny" / "tensorboard" / "sft")
    assert board["train/loss"] == in_single_precision(losses)
    assert mlflow["tiny/sft"]["train/loss"] == losses
    (adapter,) = runs.glob("nodes/sft-*/adapter/adapter_model.safetensors")
    (without,) = finished_run.parent.glob("nodes/sft-*/adapter/adapter_model.safetensors")
    assert adapter.parent.parent.name == without.parent.parent.name
    assert adapter.read_bytes() == without.read_bytes()


RUN = {
    "run_id": "abc",
    "run_uuid": "abc",
    "experiment_id": "1",
    "status": "RUNNING",
    "lifecycle_stage": "active",
}


class FailingServer(BaseHTTPRequestHandler):
    """Answers as MLflow's server does, until it was sent two batches of metrics."""

    batches: list[dict[str, Any]] = []

    def do_GET(self) -> None:
        experiment = {"experiment_id": "1", "name": "r", "lifecycle_stage": "active"}
        self._answer({"experiment": experiment, "run": {"info": RUN, "data": {}}})

    def do_POST(self) -> None:
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "metrics" in sent and len(self.batches) == 2:
            self.send_error(503)
            return
        if "metrics" in sent:
            self.batches.append(sent)
        self._answer({"run": {"info": RUN, "data": {}}})

    def _answer(self, content: dict[str, Any]) -> None:
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.mark.real
def test_a_server_that_fails_in_the_middle_is_said_once_and_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FailingServer)
    Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    stage, events = one_stage(tmp_path, "mlflow", "tensorboard"), io.StringIO()
    append_records(
        NodeFolder(Path(stage.node)).log_rows, [row(step, loss=float(step)) for step in (1, 2, 3)]
    )
    failing = writer(stage, events)
    failing.look()
    failing.look()
    failing.close()
    (said,) = map(json.loads, events.getvalue().splitlines())
    assert said["tracker"] == "mlflow" and "503" in said["error"]
    curve = scalars(tmp_path / "r" / "tensorboard" / "a=1" / "sft")["train/loss"]
    assert curve == [(1, 1.0), (2, 2.0), (3, 3.0)]
    # it works again
    taken, FailingServer.batches = FailingServer.batches, []
    writer(stage, events).look()
    server.shutdown()
    steps = [metric["step"] for sent in taken + FailingServer.batches for metric in sent["metrics"]]
    assert steps == [1, 2, 3] and len(events.getvalue().splitlines()) == 1


@pytest.mark.real
def test_a_tracker_that_is_out_of_reach_changes_nothing_of_a_run(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    copied(finished_run.parent, tmp_path / "runs")
    nobody = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    words = ["run", str(tiny_recipe_file), "--set", "report_to=[mlflow, tensorboard]"]
    process = start(*words, folder=tmp_path, **nobody)
    output = finish(process)
    assert process.returncode == 0 and output.count("Note: mlflow failed") == 1
    assert "the same command again writes what is missing" in output
    assert scalars(tmp_path / "runs" / "tiny" / "tensorboard" / "grpo")["eval/accuracy"]
