"""Why a job failed, in a sentence: what was being done, what was raised, and where it can be known
which key of the recipe it is about and what would work.

Libraries raise what they like: a sentence of a page, one word, or nothing at all. What we raise
ourselves is a sentence already.
"""

import re
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stagelift.evals.data.source import one_sentence
from stagelift.evals.disk_space import full_disk
from stagelift.evals.judges.reward_model import RewardModelJudge
from stagelift.harness.workers.jobs import (
    AnyJob,
    EvaluateJob,
    ExportJob,
    TrainJob,
    training_folder,
)
from stagelift.harness.workers.out_of_memory import memory_ran_out

# the folders where our own modules lie
_OURS = ("evals", "harness", "reports", "stages")
_ROOT = Path(__file__).resolve().parents[2]
# what makes a step smaller
_SMALLER = ("per_device_train_batch_size", "max_length", "max_completion_length", "num_generations")


def sentence(error: BaseException, job: AnyJob | None = None) -> str:
    """Say what was being done and why it failed; without a job the latter alone."""
    return f"{_doing(job)}{reason(error, job)}"


def _doing(job: AnyJob | None) -> str:
    match job:
        case TrainJob():
            return f"stage '{job.settings.kind}': "
        case _:
            return ""


def reason(error: BaseException, job: AnyJob | None = None) -> str:
    """Say why a job failed, without saying what was being done."""
    text = " ".join(str(error).split())
    if _is_sentence(error, text):
        return text
    full = None if job is None else full_disk(error, _written(error, job))
    if full is not None:
        return full
    if memory_ran_out(error):
        words = words_of_memory(error)
        return f"memory ran out{f' ({words})' if words else ''}. {what_takes_less(job)}"
    if "weights_only" in text or "Weights only load failed" in text:
        return (
            "a file holds more than weights, and what it would run as it is read was not run. "
            f"{_where_it_lies(job)}"
        )
    if isinstance(error, KeyError):
        said = f"KeyError: {text} was looked for and is not there."
    elif isinstance(error, SystemExit):
        said = "SystemExit: something in it asked to end the process."
    elif text:
        said = f"{type(error).__name__}: {one_sentence(error)}"
    else:
        said = f"{type(error).__name__}, without a word of why."
    return " ".join([said, *_keys(text, job), *_where(error)])


def _where_it_lies(job: AnyJob | None) -> str:
    """Say which files may be meant, and what helps."""
    match job:
        case TrainJob():
            return (
                "If it is not the model's (take that as safetensors), a checkpoint of this stage "
                f"was changed: delete {training_folder(job).checkpoints}, and the stage begins anew"
                "."
            )
        case _:
            return "Take the weights as safetensors, from somebody you trust."


def _is_sentence(error: BaseException, text: str) -> bool:
    """Say whether we raised it, as a sentence for the user. That memory ran out is raised by a
    library, even where the last line that ran is ours.
    """
    if memory_ran_out(error) and not type(error).__module__.startswith("stagelift."):
        return False
    return _is_ours(error) and text.endswith((".", "!", "?"))


def _written(error: BaseException, job: AnyJob) -> Path:
    """Return what could not be written, where the error names it; else where the job writes."""
    named = error.filename if isinstance(error, OSError) else None
    return Path(named) if isinstance(named, str) else training_folder(job).path


def _is_ours(error: BaseException) -> bool:
    """Say whether we raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    # one that was made and never raised is ours, too
    return not frames or _is_our_file(frames[-1].filename)


def _is_our_file(name: str) -> bool:
    file = Path(name).resolve()
    if not file.is_relative_to(_ROOT):
        return False
    return file.relative_to(_ROOT).parts[0] in _OURS


def words_of_memory(error: BaseException) -> str:
    """Quote what a library said, which holds how much was asked for, as far as a line goes."""
    text = " ".join(str(error).split())
    first = re.split(r"(?<=[.?!]) (?=[A-Z])", text)
    return " ".join(first[:2])[:160].rstrip(".")


def what_takes_less(job: AnyJob | None) -> str:
    """Say what to change in a recipe so that a job takes less memory."""
    match job:
        case TrainJob():
            return _smaller_step(job.settings.args)
        case EvaluateJob():
            return f"Lower {' or '.join(_smaller_evaluation(job))}."
        case ExportJob():
            return "Merging needs all weights at once: run it on a machine with more memory."
        case _:
            return "Lower per_device_train_batch_size or max_length (--set max_length=512)."


def _smaller_step(given: Mapping[str, Any]) -> str:
    named = [f"{name} ({given[name]})" for name in _SMALLER if given.get(name) not in (None, 1)]
    if _SMALLER[0] not in given:
        named.insert(0, f"{_SMALLER[0]} (8 if not given)")
    lower = f"Lower one of args.{', '.join(named)}" if named else "Give args.max_length"
    return (
        f"{lower}; gradient_accumulation_steps makes up for smaller batches. "
        "args.gradient_checkpointing: true and model.quantization: 4bit take less memory, too."
    )


def _smaller_evaluation(job: EvaluateJob) -> Iterator[str]:
    settings, asked = job.settings, job.settings.problems
    yield f"evals.accuracy.batch_size ({asked.batch_size})"
    yield f"max_tokens ({asked.max_tokens})"
    for task in settings.tasks:
        yield f"the batch_size of task {task.task} ({task.batch_size}, another contract then)"
    judge = settings.preference.judge
    if isinstance(judge, RewardModelJudge):
        yield f"evals.preference.judge.batch_size ({judge.batch_size}, another judge then)"


def _keys(text: str, job: AnyJob | None) -> Iterator[str]:
    """Say what the recipe gives for the arguments that a library's words name."""
    args: Mapping[str, Any] = {}
    if isinstance(job, TrainJob):
        args = job.settings.args
    for name in _named(text, args):
        yield f"The recipe's args.{name} is {args[name]!r:.60}."


def _named(text: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if re.search(rf"(?<![\w.]){re.escape(name)}(?!\w)", text)]


def _where(error: BaseException) -> Iterator[str]:
    """Name the line that it came from: of the user's own code, such as of a reward, else where a
    library raised it, if what it says is no sentence.
    """
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [frame for frame in frames if _is_a_users(frame.filename)]
    is_said = len(str(error).split()) > 1
    for frame in [*theirs[-1:], *([] if is_said else frames[-1:])][:1]:
        yield f"It came from {Path(frame.filename).name}, line {frame.lineno} ({frame.name})."
    if isinstance(error, StopIteration) and not theirs:
        yield "A loader of rows ends so where none is left: see how many rows its data has."


def _is_a_users(name: str) -> bool:
    file = Path(name)
    installed = {"site-packages", "dist-packages"} & {*file.parts}
    is_library = installed or file.is_relative_to(sysconfig.get_path("stdlib"))
    return not is_library and not _is_our_file(name) and file.is_file()
