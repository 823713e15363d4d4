"""One evaluation to be done: what is measured of which model, with every source pinned."""

from typing import Any, Literal

from pydantic import Field

from stagelift.evals.data.instruction_prompts import CAPACITY as INSTRUCTIONS
from stagelift.evals.data.retained import CHOICES, PASSAGES
from stagelift.evals.data.source import Source
from stagelift.evals.judges.load import JudgeSettings
from stagelift.evals.lm_eval.tasks import TaskSettings
from stagelift.evals.metrics.scorers.known import AnyScorer, Named, named
from stagelift.evals.models.engines.settings import ChosenEngine, TransformersSettings
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import Record, Written

Against = Literal["base", "previous"]


class ProblemSettings(Record):
    """Which problems are asked, and how.

    It is greedily and once, or several samples each at a temperature. `sampled` is how many are
    drawn of the test problems beside the greedy response. `scorers` are those of a user's own
    task; a task of ours has none. `validation` names the problems that are asked instead of the
    source's test split, None where that is asked.
    """

    task: str
    source: Source
    limit: int | None
    held_out: int
    num_fewshot: int
    max_tokens: int
    batch_size: int
    samples: int
    temperature: float
    sampled: int = 0
    scorers: list[AnyScorer] = []
    validation: Source | None = None


class OwnTaskSettings(Record):
    """A further task of the user's own: its rows, how they are asked, and how responses score."""

    task: str
    source: Source
    scorers: list[AnyScorer]
    limit: int | None = None
    max_tokens: int = 256
    samples: int = 1
    temperature: float = 0.0


class PreferenceSettings(Record):
    """Who judges, and on which prompts beside the problems.

    `gold` are pairs whose better answer is known: they show how well it judges.
    """

    judge: JudgeSettings
    against: list[Against]
    prompts: Source | None
    max_tokens: int
    gold: Source | None


class RetentionSettings(Written):
    """How much the retention suite asks: instruction prompts, answered in up to `max_tokens`,
    questions with four answers, and passages of plain text.
    """

    instructions: int = Field(default=INSTRUCTIONS, ge=0, le=INSTRUCTIONS)
    """How many prompts with instructions that a program verifies."""
    choices: int = Field(default=CHOICES, ge=0, le=CHOICES)
    """How many questions with four answers."""
    passages: int = Field(default=PASSAGES, ge=0, le=PASSAGES)
    """How many passages of plain text."""
    max_tokens: int = Field(default=96, ge=1)
    """Where a response to an instruction is cut off."""


class EvaluationSettings(Record):
    """Everything that is measured of one model, and which engine answers for it.

    lm-eval's `tasks` are run in transformers, whichever engine that is; `own` are further tasks of
    the user's.
    """

    problems: ProblemSettings
    preference: PreferenceSettings
    tasks: list[TaskSettings]
    retention: RetentionSettings | None = None
    engine: ChosenEngine = Field(default=TransformersSettings(), discriminator="kind")
    own: list[OwnTaskSettings] = []

    def own_tasks(self) -> list[OwnTaskSettings]:
        """Return every task of the user's, the main one first where it is one."""
        asked = self.problems
        if not asked.scorers:
            return self.own
        main = OwnTaskSettings(
            task=asked.task,
            source=asked.source,
            scorers=asked.scorers,
            limit=asked.limit,
            max_tokens=asked.max_tokens,
            samples=asked.samples,
            temperature=asked.temperature,
        )
        return [main, *self.own]

    def own_scorers(self) -> dict[str, list[Named]]:
        """Return the scorers of every task of the user's with their metrics, by task."""
        scorers = {task.task: named(task.scorers, task.task) for task in self.own}
        if self.problems.scorers:
            scorers[self.problems.task] = named(self.problems.scorers, None)
        return scorers


class Evaluation(Record):
    """One evaluation to be done.

    `references` are the evaluation folders of the models to judge against and `base` that of the
    base model (None: this is it), under the same contract. `judges` is the folder of what is known
    of judges, whichever run asked. A `repeat` asks the same in other batches, with other random
    numbers: how much it differs is the noise of measuring. `chat_template` and `tokenizer` are
    digests of what the model is asked with.
    """

    folder: str
    model: ModelRef
    settings: EvaluationSettings
    contract_id: str
    contract: dict[str, Any]
    references: dict[Against, str]
    base: str | None
    judges: str
    repeat: int = 0
    chat_template: str | None = None
    tokenizer: str | None = None
    versions: dict[str, str]
