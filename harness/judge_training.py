"""`stagelift judge train`: a reward model from preference pairs, with a passport.

A passport is what is known of a judge. It comes from gold pairs, whose better answer is known and
which the judge was not trained on.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagelift.evals.data.bundled_data import INSTRUCTIONS
from stagelift.evals.data.preferences import check_preferences, preferences_fingerprint
from stagelift.evals.data.source import Source, UnreachableError, fingerprint, pinned
from stagelift.evals.files import write_json
from stagelift.evals.models.model import ModelRef, model_fingerprint
from stagelift.evals.records import Passport
from stagelift.evals.strict_json import read_json
from stagelift.harness.environment import versions
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.asked_with import template_of
from stagelift.harness.graph.model_checks import check_model_path
from stagelift.harness.graph.revision import model_revision
from stagelift.harness.progress import View
from stagelift.harness.recipes.overrides import read_override
from stagelift.harness.workers.jobs import TrainJudgeJob
from stagelift.harness.workers.local import run_worker
from stagelift.stages import precision
from stagelift.stages.folders import JudgeFolder
from stagelift.stages.report_to import read_report_to
from stagelift.stages.reward import REWARD_MODEL
from stagelift.stages.settings import config_on_paper

GOLD_PAIRS = 400
# for the bundled model on two CPU cores: minutes, and enough to beat the longest control
DEFAULTS: dict[str, Any] = {
    "max_steps": 60,
    "per_device_train_batch_size": 8,
    "learning_rate": 3e-4,
    "warmup_steps": 5,
    "max_length": 512,
}


@dataclass(frozen=True)
class JudgeRequest:
    """What the user asked for; `overrides` are RewardConfig arguments as `name=value`."""

    model: str
    dataset: str
    output: Path
    overrides: list[str]


def train_judge(request: JudgeRequest, view: View) -> Passport:
    """Train into `request.output` and return the judge's passport.

    Raises UsageError before anything is written.
    """
    job, folder = _job(request), JudgeFolder(request.output)
    _refuse_another(folder, job)
    # the worker locks the folder
    with view:
        run_worker(job, lambda event: view.on_event("judge", event))
    return folder.read_passport()


def _refuse_another(folder: JudgeFolder, job: TrainJudgeJob) -> None:
    """A folder holds one judge: go on with it, or refuse another one, and what is no judge."""
    asked = job.model_dump(
        mode="json", exclude={"folder": True, "versions": True, "base": {"merged"}}
    )
    wanted = asked | {
        "data": preferences_fingerprint(job.source),
        "weights": model_fingerprint(job.base.path, job.base.revision),
    }
    if folder.request.exists():
        if read_json(folder.request) != wanted:
            raise UsageError(
                f"{folder.path} holds a judge that was trained with other settings or data. Give "
                "--output another folder."
            )
    elif folder.path.exists():
        _refuse_what_is_no_judge(folder)
    write_json(folder.request, wanted)


def _refuse_what_is_no_judge(folder: JudgeFolder) -> None:
    if any(not file.name.startswith(".") for file in folder.path.iterdir()):
        raise UsageError(
            f"Folder {folder.path} exists and is not a judge. Give --output another folder."
        )


def _job(request: JudgeRequest) -> TrainJudgeJob:
    args = DEFAULTS | dict(
        read_override(text, example="max_steps=100") for text in request.overrides
    )
    source = Source(path=request.dataset)
    try:
        _refuse_trackers(args)
        config_on_paper(REWARD_MODEL, args)
        check_preferences(source, pairs=True)
        check_model_path(request.model)
        gold = _held_out(source)
    except ValueError as error:
        raise UsageError(str(error)) from error
    base = ModelRef(
        path=request.model,
        revision=model_revision(request.model, None),
        dtype=precision.dtype("auto"),
        device=precision.device(),
    )
    template_of(base)
    return TrainJudgeJob(
        folder=str(request.output),
        base=base,
        source=pinned(source),
        gold=gold,
        args=args,
        seed=0,
        versions=versions(),
    )


def _refuse_trackers(args: dict[str, Any]) -> None:
    if read_report_to(args.get("report_to")):
        raise ValueError(
            f"report_to is {args['report_to']!r}, and a judge's training is not reported to "
            "trackers. Leave it out: what was logged is in training.jsonl, in the judge's folder."
        )


def _held_out(source: Source) -> Source:
    """Pairs for the passport: the dataset's own test split, else the bundled one.

    They are never the rows trained on.
    """
    own = source.model_copy(update={"split": "test", "limit": GOLD_PAIRS})
    try:
        check_preferences(own.model_copy(update={"limit": None}), pairs=True)
        if fingerprint(own) != fingerprint(source):
            return pinned(own)
    except (ValueError, UnreachableError):
        pass
    return Source(path=INSTRUCTIONS, split="test", limit=GOLD_PAIRS)
