"""One job in a process of its own: train a stage, evaluate or export a model.

Started by the conductor, never by hand.

The job comes as one JSON line on standard input, events go out as JSON lines on standard output,
and everything libraries print goes to a log file. Standard input stays open while the conductor
lives: when it closes, this process ends at once, so a killed conductor leaves no orphan that
writes.
"""

import faulthandler
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from pydantic import TypeAdapter

from stagelift.evals.disk_space import full_disk
from stagelift.evals.folders import REMEDY, EvaluationFolder
from stagelift.evals.hashes import DamagedError
from stagelift.evals.models.four_bit import quiet_about_kernel
from stagelift.evals.whole import remove_left_folders
from stagelift.harness.locks import held
from stagelift.harness.workers.events import (
    emit,
    end_with_standard_input,
    events_apart,
    print_to,
    step_events,
)
from stagelift.harness.workers.failures import sentence, words_of_memory
from stagelift.harness.workers.jobs import (
    AnyJob,
    EvaluateJob,
    ExportJob,
    Job,
    TrainJob,
    TrainJudgeJob,
    log_file,
    starting_model,
    training_folder,
)
from stagelift.harness.workers.killer import go_before_the_conductor
from stagelift.harness.workers.out_of_memory import leave_smaller_batch, memory_ran_out
from stagelift.stages.folders import JudgeFolder, NodeFolder


def main() -> None:
    """Read a job, do it, and say how it went."""
    job: AnyJob = TypeAdapter(Job).validate_json(sys.stdin.buffer.readline())
    threading.Thread(target=end_with_standard_input, daemon=True).start()
    events = events_apart()
    try:
        _do_alone(job, events)
    # a reward may call sys.exit(); the conductor reports it, with the log's path
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it is told
        # the log may be what cannot be written
        with suppress(OSError):
            traceback.print_exc()
        _fail(error, job, events)
        sys.exit(1)
    emit(events, event="done")


def _do_alone(job: AnyJob, events: TextIO) -> None:
    """Do a job with its folder to itself: another run may be making the same node, which then is
    found done.
    """
    folder = training_folder(job)
    folder.path.mkdir(parents=True, exist_ok=True)
    print_to(log_file(job))
    # where a library crashes, the log says in which line of Python
    faulthandler.enable()
    go_before_the_conductor()
    quiet_about_kernel()

    def say(holder: str) -> None:
        emit(events, event="held", holder=holder)

    with held(folder.lock_file, say):
        remove_left_folders(folder.path)
        do_job(job, events)


def _fail(error: Exception | SystemExit, job: AnyJob, events: TextIO) -> None:
    """Say why a job failed, and whether it is to be done again with what is in its folder now."""
    said, again = sentence(error, job), False
    if memory_ran_out(error):
        try:
            batch = leave_smaller_batch(job, words_of_memory(error))
            emit(events, event="smaller", batch=batch.model_dump())
            again = True
        except (ValueError, OSError) as reason:
            said = f"{said} {reason}"
    full = full_disk(error, training_folder(job).path) is not None
    emit(events, event="failed", error=said, again=again, full=full)


def do_job(job: AnyJob, events: TextIO) -> None:
    _refuse_damaged_adapters(job)
    match job:
        case EvaluateJob():
            if not EvaluationFolder(Path(job.folder)).is_complete():
                _evaluate(job, events)
        case TrainJob():
            node = NodeFolder(Path(job.folder))
            if not node.is_trained():
                smaller = node.read_smaller_batch()
                _train(job.model_copy(update={"smaller_batch": smaller}), node, events)
            node.drop_checkpoints()
        case ExportJob():
            node = NodeFolder(Path(job.folder))
            if not node.is_exported():
                _export(job, node, events)
        case TrainJudgeJob():
            judge = JudgeFolder(Path(job.folder))
            if not judge.is_complete():
                _train_judge(job, judge, events)
            judge.drop_checkpoints()


def _refuse_damaged_adapters(job: AnyJob) -> None:
    """Compare the adapters that a job starts from once more: hours may lie between its start and
    that of the run, which looked at everything.
    """
    model = starting_model(job)
    for adapter in (*model.merged, *([] if model.adapter is None else [model.adapter])):
        damages = NodeFolder(Path(adapter).parent).damages_of_adapter()
        if damages:
            raise DamagedError(damages, f"Nothing was made of it. {REMEDY}")


def _train(job: TrainJob, node: NodeFolder, events: TextIO) -> None:
    if job.launcher is not None:
        from stagelift.harness.workers.launch import train_launched

        train_launched(job, events)
        return
    from stagelift.stages.train import train

    result = train(
        job.settings,
        job.parent,
        job.lora,
        job.seed,
        node.path,
        job.versions,
        step_events(events),
        keep_every=job.keep_every,
        stop_when_ill=job.stop_when_ill,
        smaller_batch=job.smaller_batch,
    )
    node.write_result(result)


def _export(job: ExportJob, node: NodeFolder, events: TextIO) -> None:
    from stagelift.stages.exports.write import write_export

    def show(part: str) -> None:
        emit(events, event="exporting", what=part)

    node.write_export(write_export(job.model, job.exported, node, job.versions, show))


def _train_judge(job: TrainJudgeJob, folder: JudgeFolder, events: TextIO) -> None:
    """Train, then show the judge pairs whose better answer is known; the passport comes last."""
    from stagelift.evals.data.preferences import load_preferences
    from stagelift.evals.judges.gold import gold_agreement
    from stagelift.evals.judges.passport import passport
    from stagelift.evals.judges.reward_model import RewardModelJudge, reward_model_judge
    from stagelift.stages.reward import train_reward_model

    if not folder.is_trained():
        result = train_reward_model(
            job.base,
            job.source,
            job.args,
            job.seed,
            folder.path,
            job.versions,
            step_events(events),
            folder.read_smaller_batch(),
        )
        folder.write_result(result)
    emit(events, event="evaluating", what="gold pairs", done=0, total=1)
    judge = reward_model_judge(RewardModelJudge(path=str(folder.model)), job.base.device)
    gold = gold_agreement(judge, load_preferences(job.gold), f"{job.gold.path}, {job.gold.split}")
    folder.write_passport(passport(judge.id, None, [], gold, None))


def _evaluate(job: EvaluateJob, events: TextIO) -> None:
    from stagelift.evals.evaluate import evaluate

    def show(what: str, done: int, total: int) -> None:
        emit(events, event="evaluating", what=what, done=done, total=total)

    evaluate(job, show)


if __name__ == "__main__":
    main()
