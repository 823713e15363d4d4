"""The words of a plan: what its stages train on and what its evaluation asks, as far as it can be
read.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean

from stagelift.evals.data.instruction_prompts import instruction_prompts
from stagelift.evals.data.own_rows import OwnProblem
from stagelift.evals.data.preferences import Preference, words
from stagelift.evals.data.problems import ProblemSet
from stagelift.evals.data.retained import choices, passages
from stagelift.evals.evaluate import asked_own, asked_preferences, asked_problems
from stagelift.evals.judges.load import judges_prompts
from stagelift.evals.metrics.measures import in_group
from stagelift.evals.metrics.retention import (
    BITS_PER_BYTE,
    CHOICE_ACC_NORM,
    INSTRUCTIONS_FOLLOWED,
)
from stagelift.evals.records import Group
from stagelift.evals.settings import EvaluationSettings
from stagelift.harness.forecast.guess import CHARACTERS_A_TOKEN
from stagelift.stages.rows.training import reading, training_texts
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
class Prompts:
    """How many prompts a metric is over, and in how many clusters; None where each stands alone."""

    n: int
    clusters: int | None = None


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
            return Questions(
                (asked.limit or 0) * (asked.samples + asked.sampled), asked.max_tokens, 0
            )
        own = self.own or []
        lengths = [len(problem.question) for problem in problems.problems]
        lengths += [len(problem.question) for problem in own]
        if not lengths:
            return self._of_pairs()
        shots = [len(shot.question) + len(shot.answer) for shot in problems.fewshot] or [0]
        characters = fmean(lengths) + asked.num_fewshot * fmean(shots)
        tested = sum(problem.group == "test" for problem in problems.problems)
        tested += sum(problem.group == "test" for problem in own)
        samples = {task.task: task.samples for task in self.settings.own_tasks()}
        responses = len(problems.problems) * asked.samples + tested * asked.sampled
        responses += sum(samples[problem.task] for problem in own)
        if judges_prompts(self.settings.preference.judge):
            responses += len(self.preferences or [])
        retained = self.settings.retention
        responses += 0 if retained is None else retained.instructions
        return Questions(responses, asked.max_tokens, characters / CHARACTERS_A_TOKEN)

    def _of_pairs(self) -> Questions:
        """Count pairs alone as two texts each that are read, and no more than scored."""
        texts = [
            words(pair.prompt) + (answer or "")
            for pair in self.preferences or []
            for answer in (pair.chosen, pair.rejected)
        ]
        characters = fmean([len(text) for text in texts] or [0])
        return Questions(len(texts), 1, characters / CHARACTERS_A_TOKEN)

    def counts(self) -> dict[str, "Prompts"]:
        """Count the problems, and the rows of the retention suite, by the metric that is read for
        each; where problems cannot be read, as many as were asked for.
        """
        return self._problem_counts() | self._retained()

    def _problem_counts(self) -> dict[str, "Prompts"]:
        if self.settings.problems.scorers:
            return self._own_counts()
        limit = self.settings.problems.limit
        if self.problems is None:
            return {} if limit is None else {"accuracy": Prompts(limit)}
        groups: tuple[Group, ...] = ("test", "held_out")
        ours = {
            in_group("accuracy", group): _prompts(
                problem.cluster for problem in self.problems.problems if problem.group == group
            )
            for group in groups
        }
        return ours | self._own_counts()

    def _retained(self) -> dict[str, "Prompts"]:
        asked = self.settings.retention
        if asked is None:
            return {}
        kinds = (prompt.kind for prompt in instruction_prompts(asked.instructions))
        return {
            INSTRUCTIONS_FOLLOWED: _prompts(kinds),
            CHOICE_ACC_NORM: _prompts(choice.topic for choice in choices(asked.choices)),
            BITS_PER_BYTE: _prompts(passage.document for passage in passages(asked.passages)),
        }

    def _own_counts(self) -> dict[str, "Prompts"]:
        """Count the prompts of the user's tasks by their first scores."""
        scorers = self.settings.own_scorers()
        return {
            scorers[task.task][0].metric: _prompts(
                problem.cluster for problem in self.own or [] if problem.task == task.task
            )
            for task in self.settings.own_tasks()
        }

    def texts(self) -> Mapping[str, Mapping[str, str]]:
        """Return the questions by group and id, groups that ask nothing left out."""
        problems = [] if self.problems is None else self.problems.problems
        names = ("test", "held_out", "preference", "task")
        groups: dict[str, dict[str, str]] = {name: {} for name in names}
        for problem in problems:
            groups[problem.group][problem.id] = problem.question
        for row in self.own or []:
            groups[row.group][row.id] = row.question
        for prompt in self.preferences or []:
            groups["preference"][prompt.id] = words(prompt.prompt)
        return {group: questions for group, questions in groups.items() if questions}

    def unreached(self) -> list[str]:
        """Name what of it could not be read."""
        parts = {
            "the problems asked": self.problems,
            "the rows of your own tasks": self.own,
            "the preference prompts": self.preferences,
        }
        return [name for name, part in parts.items() if part is None]

    @cached_property
    def problems(self) -> ProblemSet | None:
        """The problems; None where they cannot be read."""
        try:
            return asked_problems(self.settings)
        except Exception:  # noqa: BLE001 - as for what stages train on
            return None

    @cached_property
    def own(self) -> list[OwnProblem] | None:
        """The prompts of the user's own tasks; None where they cannot be read."""
        try:
            return asked_own(self.settings)
        except Exception:  # noqa: BLE001 - as for what stages train on
            return None

    @cached_property
    def preferences(self) -> list[Preference] | None:
        """The preference prompts; None where they cannot be read."""
        try:
            return asked_preferences(self.settings)
        except Exception:  # noqa: BLE001 - as for what stages train on
            return None


def _prompts(clusters: Iterable[str | None]) -> Prompts:
    """Count prompts by what each comes in."""
    names = list(clusters)
    known = {name for name in names if name is not None}
    return Prompts(len(names), len(known) or None)
