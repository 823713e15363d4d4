"""The trackers there are, by the name of their library."""

from stagelift.harness.trackers.mlflow import MLflowRun
from stagelift.harness.trackers.tensorboard import TensorBoardRun
from stagelift.harness.trackers.tracker import TrackerRun
from stagelift.harness.trackers.trackio import TrackioRun
from stagelift.harness.trackers.wandb import WandbRun

KNOWN: dict[str, type[TrackerRun]] = {
    "tensorboard": TensorBoardRun,
    "mlflow": MLflowRun,
    "wandb": WandbRun,
    "trackio": TrackioRun,
}
