"""Why a job failed, in a sentence."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from stagelift.evals.data.source import Source
from stagelift.evals.models.model import ModelRef
from stagelift.harness.workers.failures import reason, sentence
from stagelift.harness.workers.jobs import TrainJob
from stagelift.harness.workers.launch import LaunchFailed
from stagelift.stages.settings import StageSettings

JOB = TrainJob(
    folder="unused",
    settings=StageSettings(
        kind="grpo",
        dataset=Source(path="bundled/schoolmath"),
        args={"per_device_train_batch_size": 16, "num_generations": 4, "learning_rate": 1e-3},
    ),
    parent=ModelRef(path="unused", dtype="float32", device="cpu"),
    lora={},
    seed=0,
    versions={},
)

NONE = TensorDataset(torch.zeros(0))


def raised(by: Callable[[], Any]) -> Exception:
    try:
        by()
    except Exception as error:  # noqa: BLE001 - of any kind, on purpose
        # without the call that stands here
        here = error.__traceback__
        return error.with_traceback(here.tb_next if here else None)
    raise AssertionError("nothing was raised")


def a_users_reward() -> None:
    raise ZeroDivisionError("division by zero")


def wordless() -> None:
    raise StopIteration


def named() -> None:
    raise RuntimeError("`num_generations` must divide\n  the batch")


def no_memory() -> None:
    raise torch.OutOfMemoryError(
        "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 14.75 GiB "
        "of which 1.06 GiB is free. Including non-PyTorch memory, this process has 13 GiB."
    )


@pytest.mark.parametrize(
    ("by", "says"),
    [
        (
            a_users_reward,
            "ZeroDivisionError: division by zero. It came from test_failures.py, line",
        ),
        (wordless, "StopIteration, without a word of why. It came from test_failures.py, line"),
        (partial(next, iter(DataLoader(NONE))), "A loader of rows ends so where none is left"),
        (
            lambda: {}["prompt"],
            "KeyError: 'prompt' was looked for and is not there. It came from test_failures.py",
        ),
        (named, "RuntimeError: `num_generations` must divide the batch."),
        (named, "The recipe's args.num_generations is 4."),
        (
            no_memory,
            "memory ran out (CUDA out of memory. Tried to allocate 2.00 GiB). Lower one of",
        ),
        (no_memory, "per_device_train_batch_size (16), num_generations (4)"),
        (lambda: json.loads("{"), "JSONDecodeError: Expecting property name"),
    ],
)
def test_a_failure_is_said_with_its_stage_its_key_and_where_it_came_from(
    by: Callable[[], Any], says: str
) -> None:
    said = sentence(raised(by), JOB)
    assert said.startswith("stage 'grpo': ") and says in said and "\n" not in said
    assert said.endswith(".")


def test_what_we_raise_is_a_sentence_already() -> None:
    # a launcher's process said it
    assert sentence(LaunchFailed("ZeroDivisionError: in one of two.")) == (
        "ZeroDivisionError: in one of two."
    )
    unknown = raised(lambda: StageSettings.model_validate({"kind": "grpo"}))
    assert sentence(unknown).startswith("ValidationError: ")


def test_a_word_inside_another_is_no_argument() -> None:
    def other() -> None:
        raise ValueError("my_learning_rate and learning_rates are no arguments")

    assert "The recipe's" not in sentence(raised(other), JOB)


def test_the_reason_is_the_sentence_without_what_was_being_done() -> None:
    error = raised(no_memory)
    assert sentence(error, JOB) == f"stage 'grpo': {reason(error, JOB)}"
