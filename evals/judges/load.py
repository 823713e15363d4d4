"""Which judge a recipe names.

That is its settings, its identity for the contract, its checks, and the judge itself.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from stagelift.evals.judges import reference
from stagelift.evals.judges.controls import Control, control
from stagelift.evals.judges.judge import Judge
from stagelift.evals.judges.openai import openai_id, openai_judge
from stagelift.evals.judges.openai_prompt import prompt_hash
from stagelift.evals.judges.openai_server import OpenAIJudge, check, check_server
from stagelift.evals.judges.reward_model import (
    RewardModelJudge,
    check_reward_model,
    reward_model_id,
    reward_model_judge,
)
from stagelift.evals.judges.verdicts import verdicts_judge
from stagelift.evals.models.model import Device
from stagelift.evals.records import Record


class ReferenceJudge(Record):
    """Right beats wrong, then shorter; problems with a target only."""

    kind: Literal["reference"] = "reference"


class ControlJudge(Record):
    """A control that shows what length, or nothing, would give."""

    kind: Control


class VerdictsJudge(Record):
    """Verdicts from a file."""

    kind: Literal["verdicts"] = "verdicts"
    path: str
    """A file of rows of `prompt`, `response_1`, `response_2` and `preference`."""


JudgeSettings = Annotated[
    ReferenceJudge | ControlJudge | VerdictsJudge | RewardModelJudge | OpenAIJudge,
    Field(discriminator="kind"),
]


def load_judge(settings: JudgeSettings, cache: Path, device: Device) -> Judge:
    """Return the judge; models are loaded, and servers asked, at its first decision.

    `cache` keeps a server's answers.
    """
    match settings:
        case ReferenceJudge():
            return reference.reference_judge()
        case ControlJudge():
            return control(settings.kind)
        case VerdictsJudge():
            return verdicts_judge(Path(settings.path))
        case RewardModelJudge():
            return reward_model_judge(settings, device)
        case OpenAIJudge():
            return openai_judge(settings, cache)


def judge_identity(settings: JudgeSettings) -> tuple[str, str | None]:
    """Return the judge's id and the hash of its prompt, for the contract.

    Loads no model, asks no server, needs no key.
    """
    match settings:
        case RewardModelJudge():
            return reward_model_id(settings), None
        case OpenAIJudge():
            return openai_id(settings), prompt_hash()
        case _:
            return load_judge(settings, Path(), "cpu").id, None


def check_judge(settings: JudgeSettings) -> None:
    """Raise ValueError, in a sentence, where the judge cannot work.

    That is where there is no such file or model, or no key. Asks no server.
    """
    match settings:
        case VerdictsJudge():
            if not Path(settings.path).is_file():
                raise ValueError(
                    f"evals.preference.judge.verdicts.path '{settings.path}' is not a file."
                )
            verdicts_judge(Path(settings.path))
        case RewardModelJudge():
            check_reward_model(settings)
        case OpenAIJudge():
            check(settings)
        case _:
            return


def check_judge_answers(settings: JudgeSettings) -> None:
    """Ask a server for one word, so that a wrong model or key shows before hours of training.

    Raises ValueError.
    """
    if isinstance(settings, OpenAIJudge):
        check_server(settings)


def judges_prompts(settings: JudgeSettings) -> bool:
    """Say whether the judge can decide on prompts that have no target."""
    return settings.kind != "reference"
