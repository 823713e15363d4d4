"""One stage's scores, prompt by prompt, as a check needs them: what a blessed baseline and
report.json carry.

No responses unless they are asked for, so that a repository can carry the file. It says nothing of
training.
"""

import hashlib
from typing import Any, Literal

from pydantic import Field, model_validator

from stagelift.evals.metrics.measures import FIXED, measure
from stagelift.evals.records import Passport, Record
from stagelift.reports.numbers.values import is_compared, prompt_values
from stagelift.reports.records import RunRecord, StageRecord

# what an earlier stagelift wrote: without the stages of the run and a digest of the responses
EARLIER = "stagelift-scores-1"
OTHER_TOKENS = (
    "The two sides have different tokenizers: lengths in tokens are not compared, only those in "
    "characters."
)


class Training(Record):
    """What a recipe scored with one seed: `values` by metric, in the order of the recipe's."""

    seed: int
    stage: str
    values: dict[str, list[float]]
    responses: dict[str, str] | None = None


class StageScores(Record):
    """The values of each metric by prompt id (means over samples; a win rate's are the judge's
    scores, from 0 to 1).

    `stages` names every stage of the run in order, evaluated or not; empty where that is not known.
    `opponent` is a digest of what base answered: win rates against base compare only where it is
    the same. `answers` is a digest of what the stage answered, byte for byte; None where it is not
    known, or where there were several samples. `fit` is the judge's fitness, None where it was not
    checked. `lengths` has, per win rate, how much longer than the opponent's the response to each
    prompt was, in characters. `clusters` has the cluster of each prompt that is in one. `tokenizer`
    is a digest of what counted tokens.

    A recipe has several `trainings`, one per seed: its values are means over them.
    """

    format: Literal["stagelift-scores-1", "stagelift-scores-2"] = "stagelift-scores-2"
    run: str
    stage: str
    stages: tuple[str, ...] = ()
    contract_id: str
    contract: dict[str, Any]
    opponent: str
    answers: str | None = None
    # not written where it was not checked
    fit: bool | None = None
    values: dict[str, dict[str, float]]
    lengths: dict[str, dict[str, float]]
    clusters: dict[str, str] = {}
    # not written where it is not known
    tokenizer: str | None = Field(default=None, exclude_if=lambda known: known is None)
    responses: dict[str, str] | None = None
    trainings: tuple[Training, ...] = ()

    @model_validator(mode="after")
    def _every_training_has_every_value(self) -> "StageScores":
        sizes = {metric: len(values) for metric, values in self.values.items()}
        for training in self.trainings:
            if {metric: len(column) for metric, column in training.values.items()} != sizes:
                raise ValueError(f"the training with seed {training.seed} lacks values")
        return self


def stage_scores(
    stage: StageRecord, run: RunRecord, passport: Passport | None, *, responses: bool = False
) -> StageScores:
    """Read a stage's scores off its records; `passport` is of the run's judge (see
    `run_passport`).
    """
    return StageScores(
        run=run.name,
        stage=stage.name,
        stages=(*(known.name for known in run.stages), *run.missing),
        contract_id=stage.evaluation.contract_id,
        contract=stage.evaluation.contract,
        opponent=_digest(run.base(stage)),
        answers=_digest(stage) if _has_one_sample(stage) else None,
        fit=None if passport is None else passport.fit,
        values={**_metric_values(stage, run.base(stage)), **_judged_values(stage)},
        lengths=_lengths(stage),
        clusters={score.id: score.cluster for score in stage.scores if score.cluster is not None}
        | stage.stored_clusters,
        tokenizer=stage.evaluation.tokenizer,
        responses={one: found.response for one, found in stage.generations.items()}
        if responses
        else None,
    )


def without_tokens(scores: StageScores) -> StageScores:
    """Return scores without what counts tokens, for a side with another tokenizer."""

    def in_other_units(values: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if measure(name).unit != "tokens"}

    trainings = tuple(
        training.model_copy(update={"values": in_other_units(training.values)})
        for training in scores.trainings
    )
    values = in_other_units(scores.values)
    return scores.model_copy(update={"values": values, "trainings": trainings})


def _has_one_sample(stage: StageRecord) -> bool:
    """Say whether the responses that are kept are all there were."""
    return bool(stage.generations) and all(score.sample == 0 for score in stage.scores)


def _digest(stage: StageRecord) -> str:
    written = "\n".join(
        f"{one} {_hash(found.response)}" for one, found in sorted(stage.generations.items())
    )
    return _hash(written)[:16]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _metric_values(stage: StageRecord, base: StageRecord) -> dict[str, dict[str, float]]:
    names = {*stage.evaluation.metrics, *(known.name for known in FIXED if known.field)}
    found = {
        name: prompt_values(name, stage, base) for name in sorted(names) if is_compared(name, stage)
    }
    return {name: values for name, values in found.items() if values}


def _judged_values(stage: StageRecord) -> dict[str, dict[str, float]]:
    found = {
        name: {one: verdict.score for one, verdict in verdicts.items() if verdict.score is not None}
        for name, verdicts in stage.verdicts.items()
    }
    return {name: values for name, values in found.items() if values}


def _lengths(stage: StageRecord) -> dict[str, dict[str, float]]:
    found = {
        name: {
            one: float(v.length_difference)
            for one, v in verdicts.items()
            if v.length_difference is not None
        }
        for name, verdicts in stage.verdicts.items()
    }
    return {name: values for name, values in found.items() if values}
