"""Whether memory ran out, and what a worker leaves in a folder so that its job is done once again
with a smaller batch.

A new process does it again: what this one holds on a GPU is free only when it has ended.
"""

import errno
import re
from collections.abc import Iterator
from pathlib import Path

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.models.engines.settings import TransformersSettings
from stagelift.evals.records import SmallerBatch
from stagelift.harness.workers.jobs import (
    AnyJob,
    EvaluateJob,
    ExportJob,
    TrainJob,
    TrainJudgeJob,
    training_folder,
)
from stagelift.harness.workers.launcher import read_launcher

# what torch (CUDA, ROCm, XPU, MPS, NPU, HPU and CPU, on Linux and Windows), its libraries, C++,
# Rust, Arrow, numpy, vLLM and the system say
_SAID = re.compile(
    r"(?i)out of memory|out of device memory|can't allocate memory|cannot allocate memory"
    r"|could not allocate memory|not enough memory|unable to allocate|failed to allocate"
    r"|alloc_failed|std::bad_alloc|devmem allocation failed|memory allocation of \d+ bytes failed"
    r"|could not create a (?:primitive|memory object)(?! desc)"
    r"|insufficient memory|no available memory for the cache|less than desired gpu memory"
)
# of a file or a disk: it has another remedy
_NOT_MEMORY = re.compile(r"(?i)no space left|disk quota")


def memory_ran_out(error: BaseException) -> bool:
    """Say whether an error, or one that it was raised from, is that memory ran out."""
    return any(map(_is_of_memory, _with_causes(error)))


def says_memory_ran_out(text: str) -> bool:
    """Say whether a library's words mean that memory ran out."""
    return bool(_SAID.search(text)) and not _NOT_MEMORY.search(text)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _is_of_memory(error: BaseException) -> bool:
    # torch's own class, by name: this module does not load torch
    named = any(kind.__name__ == "OutOfMemoryError" for kind in type(error).__mro__)
    if named or isinstance(error, MemoryError):
        return True
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return says_memory_ran_out(str(error)) and not isinstance(error, ValueError | TypeError)


def leave_smaller_batch(job: AnyJob, why: str) -> SmallerBatch:
    """Write into the job's folder that its next try works on half as much at once, and return it.

    Raises ValueError, in a sentence, where it has done so already, or cannot.
    """
    match job:
        case EvaluateJob():
            return _of_evaluation(job, why)
        case TrainJob() | TrainJudgeJob():
            return _of_training(job, why)
        case ExportJob():
            raise ValueError("An export has no batch to make smaller.")


def _of_evaluation(job: EvaluateJob, why: str) -> SmallerBatch:
    folder, rows = EvaluationFolder(Path(job.folder)), job.settings.problems.batch_size
    _refuse_a_third(folder.read_smaller_batch())
    if not isinstance(job.settings.engine, TransformersSettings):
        raise ValueError("The server decides how much it works on at once.")
    if rows == 1:
        raise ValueError("One request at a time is as few as can be.")
    batch = SmallerBatch(rows=rows, parts=2, why=why)
    folder.write_smaller_batch(batch)
    return batch


def _of_training(job: TrainJob | TrainJudgeJob, why: str) -> SmallerBatch:
    from stagelift.stages.kinds import kind_named
    from stagelift.stages.reward import REWARD_MODEL
    from stagelift.stages.settings import config_on_paper
    from stagelift.stages.smaller_batch import smaller_batch

    folder = training_folder(job)
    _refuse_a_third(folder.read_smaller_batch())
    if isinstance(job, TrainJudgeJob):
        batch = smaller_batch(REWARD_MODEL, config_on_paper(REWARD_MODEL, job.args), why)
    else:
        kind, processes = kind_named(job.settings.kind), 1
        if job.launcher is not None:
            processes = read_launcher(job.launcher).processes
        batch = smaller_batch(kind, config_on_paper(kind, job.settings.args, processes), why)
    folder.write_smaller_batch(batch)
    return batch


def _refuse_a_third(before: SmallerBatch | None) -> None:
    if before is not None:
        raise ValueError(
            f"It ran out with {before.rows} at once before, and now with "
            f"{before.rows // before.parts}."
        )
