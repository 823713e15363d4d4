"""MLflow: an experiment for each run, with a run for each stage, in the store that MLflow is set
to. Without MLFLOW_TRACKING_URI that is the file or folder that `mlflow ui` opens here.
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stagelift.evals.credentials import words_without_credentials
from stagelift.harness.trackers.tracker import TrackedStage, fit_name

# of a parameter's value, in every store
_LONGEST = 500


class MLflowRun:
    """The run of one stage."""

    def __init__(self, stage: TrackedStage, id: str | None) -> None:
        from mlflow import MlflowClient

        self._client = MlflowClient()
        held = None if id is None else _held(self._client, id)
        self.goes_on = held is not None
        if held is None:
            self.id = _created(self._client, stage)
        else:
            self.id = held
            self._client.update_run(held, status="RUNNING")

    @staticmethod
    def place() -> str:
        """Return where the store is, without importing MLflow; empty for the one that is here."""
        given = os.environ.get("MLFLOW_TRACKING_URI", "").rstrip("/")
        name, is_database, path = given.rpartition("sqlite:///")
        file = path if is_database and not name else given.removeprefix("file://")
        # as MLflow chooses where nothing is set
        has_folder = any(Path("mlruns").glob("[0-9]*/meta.yaml"))
        here = Path("mlruns" if has_folder else "mlflow.db").absolute()
        is_here = not given or Path(file).absolute() == here
        # it is stored, and compared with what was
        return "" if is_here else words_without_credentials(given)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def close(self, *, finished: bool) -> None:
        self._client.set_terminated(self.id, "FINISHED" if finished else "KILLED")


def _held(client: Any, id: str) -> str | None:
    """Return a run's id where the store still has it."""
    from mlflow.exceptions import MlflowException

    try:
        info = client.get_run(id).info
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    return id if info.lifecycle_stage == "active" else None


def _created(client: Any, stage: TrackedStage) -> str:
    from mlflow.entities import Param

    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or stage.run
    experiment = client.get_experiment_by_name(name)
    experiment_id = (
        client.create_experiment(name) if experiment is None else experiment.experiment_id
    )
    tags = {"stagelift.run": stage.run, "stagelift.stage": stage.stage}
    run = client.create_run(experiment_id, run_name=stage.name, tags=tags)
    params = [Param(fit_name(key), _text(value)) for key, value in stage.settings.items()]
    client.log_batch(run.info.run_id, params=params)
    id: str = run.info.run_id
    return id


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text[:_LONGEST]
