"""One evaluation to be done: what is measured of which model, with every source pinned."""

from typing import Any, Literal

from pydantic import Field

from stagelift.evals.data.source import Source
from stagelift.evals.judges.load import JudgeSettings
from stagelift.evals.lm_eval.tasks import TaskSettings
from stagelift.evals.models.engines.settings import ChosenEngine, TransformersSettings
from stagelift.evals.models.model import ModelRef
from stagelift.evals.records import Record

Against = Literal["base", "previous"]


class ProblemSettings(Record):
    """Which problems are asked, and how.

    It is greedily and once, or several samples each at a temperature. `sampled` is how many are
    drawn of the test problems beside the greedy response.
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


class PreferenceSettings(Record):
    """Who judges, and on which prompts beside the problems.

    `gold` are pairs whose better answer is known: they show how well it judges.
    """

    judge: JudgeSettings
    against: list[Against]
    prompts: Source | None
    max_tokens: int
    gold: Source | None


class EvaluationSettings(Record):
    """Everything that is measured of one model, and which engine answers for it.

    lm-eval's tasks are run in transformers, whichever engine that is.
    """

    problems: ProblemSettings
    preference: PreferenceSettings
    tasks: list[TaskSettings]
    engine: ChosenEngine = Field(default=TransformersSettings(), discriminator="kind")


class Evaluation(Record):
    """One evaluation to be done.

    `references` are the evaluation folders of the models to judge against and `base` that of the
    base model (None: this is it), under the same contract. `judges` is the folder of what is known
    of judges, whichever run asked. A `repeat` asks the same in other batches, with other random
    numbers: how much it differs is the noise of measuring.
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
    versions: dict[str, str]
