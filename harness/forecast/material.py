"""The words of a plan: what its stages train on and what its evaluation asks, as far as it can be
read.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from stagelift.evals.data.preferences import Preference, words
from stagelift.evals.data.problems import ProblemSet
from stagelift.evals.evaluate import asked_preferences, asked_problems
from stagelift.evals.judges.load import judges_prompts
from stagelift.evals.records import Group
from stagelift.evals.settings import EvaluationSettings
from stagelift.harness.forecast.guess import CHARACTERS_A_TOKEN
from stagelift.stages.data import reading, training_texts
from stagelift.stages.settings import StageSettings

# row by row, each message or field a text
Texts = list[list[str]]


@dataclass(frozen=True)
class Questions:
    """What an evaluation asks: how many responses of up to `max_tokens`, and how long a prompt is
    in tokens.
    """

    responses: int
    max_tokens: int
    prompt_tokens: float


@dataclass(frozen=True)
class TrainedOn:
    """What stages train on, read once for each dataset and way of reading it."""

    held: dict[str, Texts | None] = field(default_factory=dict)

    def of(self, settings: StageSettings) -> Texts | None:
        """Return the texts of each row; None where they cannot be read."""
        key = reading(settings)
        if key not in self.held:
            self.held[key] = self._read(settings)
        return self.held[key]

    def _read(self, settings: StageSettings) -> Texts | None:
        try:
            return training_texts(settings)
        # local files were checked before
        except Exception:  # noqa: BLE001 - the Hub, a cache and a reader raise errors of many kinds
            return None


@dataclass(frozen=True)
class Asked:
    """What an evaluation asks: problems and preference prompts, as far as they can be read."""

    settings: EvaluationSettings

    def questions(self) -> Questions:
        """Count the responses and how long prompts are, few-shot examples included."""
        asked, problems = self.settings.problems, self.problems
        if problems is None:
            return Questions((asked.limit or 0) * asked.samples, asked.max_tokens, 0)
        lengths = [len(one.question) for one in problems.problems]
        shots = [len(one.question) + len(one.answer) for one in problems.fewshot] or [0]
        characters = fmean(lengths) + asked.num_fewshot * fmean(shots)
        prompts = (
            len(self.preferences or []) if judges_prompts(self.settings.preference.judge) else 0
        )
        return Questions(
            len(lengths) * asked.samples + prompts,
            asked.max_tokens,
            characters / CHARACTERS_A_TOKEN,
        )

    def counts(self) -> dict[Group, int]:
        """Count the problems by group; where they cannot be read, as many as were asked for."""
        limit = self.settings.problems.limit
        if self.problems is None:
            return {} if limit is None else {"test": limit}
        groups: tuple[Group, ...] = ("test", "held_out")
        return {
            group: sum(one.group == group for one in self.problems.problems) for group in groups
        }

    def texts(self) -> Mapping[str, Mapping[str, str]]:
        """Return the questions by group and id, groups that ask nothing left out."""
        problems = self.problems.problems if self.problems is not None else []
        groups = {
            group: {one.id: one.question for one in problems if one.group == group}
            for group in ("test", "held_out")
        }
        prompts = {one.id: words(one.prompt) for one in self.preferences or []}
        return {group: asked for group, asked in {**groups, "preference": prompts}.items() if asked}

    def unreached(self) -> list[str]:
        """Name what of it could not be read."""
        return [
            *(["the problems asked"] if self.problems is None else []),
            *(["the preference prompts"] if self.preferences is None else []),
        ]

    @cached_property
    def problems(self) -> ProblemSet | None:
        """The problems; None where they cannot be read."""
        try:
            return asked_problems(self.settings)
        except Exception:  # noqa: BLE001 - as for what stages train on
            return None

    @cached_property
    def preferences(self) -> list[Preference] | None:
        """The preference prompts; None where they cannot be read."""
        try:
            return asked_preferences(self.settings)
        except Exception:  # noqa: BLE001 - as for what stages train on
            return None
