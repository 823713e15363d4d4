"""Which checkpoint of a training is best, and which others cannot be told from it.

Every other checkpoint is compared with the best one, paired by prompt, with Holm's adjustment over
these comparisons (statistics.md says why that holds although the best was picked by the same
prompts). The value of a best of many is too high by the picking: what is reported of it is asked of
other problems.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Metric
from stagelift.evals.stats.difference import Difference, difference
from stagelift.reports.contradictions import REMEDY
from stagelift.reports.numbers.families import Test, adjust, equal_test
from stagelift.reports.numbers.values import largest_difference, prompt_values
from stagelift.reports.numbers.verdicts import SHOWN, decide
from stagelift.reports.records import CheckpointRecord, StageRecord, TrajectoryRecord


@dataclass(frozen=True)
class BesideBest:
    """A checkpoint's paired difference to the best one, and what Holm makes of its p.

    `is_apart` says whether it can be told from the best.
    """

    difference: Difference
    p_adjusted: float
    is_apart: bool


@dataclass(frozen=True)
class Point:
    """A checkpoint's value on the validation problems; of the best itself there is no `beside`."""

    step: int
    value: Metric
    beside: BesideBest | None


@dataclass(frozen=True)
class Trajectory:
    """The checkpoints of a stage by step, by the `metric` that one was selected by.

    `base` is the untrained model's value on the same problems, None where it has none. `reported`
    is the stage's own value: of the selected checkpoint on the problems that selected nothing.
    """

    run: str
    stage: str
    metric: str
    points: tuple[Point, ...]
    selected: int
    base: Metric | None
    reported: Metric | None
    left_out: Mapping[str, str]

    @property
    def best(self) -> Point:
        """The selected checkpoint."""
        return next(point for point in self.points if point.step == self.selected)

    @property
    def alike(self) -> list[int]:
        """The steps of the others that cannot be told from the best."""
        return [
            point.step
            for point in self.points
            if point.beside is not None and not point.beside.is_apart
        ]


def trajectory(
    run: str, stage: str, record: TrajectoryRecord, reported: Metric | None
) -> Trajectory:
    """Compare the checkpoints of a stage with the best of them.

    Raises ValueError where another one was written down as selected, or none is and they were not
    measured on the same prompts.
    """
    if record.selected is None:
        _refuse_other_prompts(run, stage, record)
    best = best_checkpoint(record)
    if record.selected not in (None, best.step):
        raise ValueError(
            f"Stage '{stage}' of run '{run}' is said to be its checkpoint of step "
            f"{record.selected}, and by {record.metric} the best is that of step {best.step}. "
            f"{REMEDY}"
        )
    compared = _compared(record, best)
    points = tuple(
        Point(
            step=checkpoint.step,
            value=checkpoint.stage.evaluation.metrics[record.metric],
            beside=compared.get(checkpoint.step),
        )
        for checkpoint in record.checkpoints
    )
    return Trajectory(
        run=run,
        stage=stage,
        metric=record.metric,
        points=points,
        selected=best.step,
        base=record.base.evaluation.metrics.get(record.metric),
        reported=reported,
        left_out=record.left_out,
    )


def best_checkpoint(record: TrajectoryRecord) -> CheckpointRecord:
    """Return the checkpoint of the best value; of equal ones the earliest, as transformers does."""
    sign = -1 if measure(record.metric).better == "less" else 1

    def merit(checkpoint: CheckpointRecord) -> tuple[float, int]:
        value = checkpoint.stage.evaluation.metrics[record.metric].value
        # sums in another order end in other digits
        return sign * round(value, 12), -checkpoint.step

    return max(record.checkpoints, key=merit)


def _refuse_other_prompts(run: str, stage: str, record: TrajectoryRecord) -> None:
    """The mean over fewer prompts may be the larger one because the hard ones are missing."""
    measured = {one.step: _measured_on(record, one) for one in record.checkpoints}
    asked = set[str]().union(*measured.values())
    step, fewest = min(measured.items(), key=lambda item: len(item[1]))
    if not fewest or len(fewest) < len(asked):
        raise ValueError(
            f"Stage '{stage}' of run '{run}' cannot be selected by {record.metric}: its checkpoint "
            f"of step {step} was measured on {len(fewest)} validation prompts, and all together on "
            f"{len(asked)}, and means over different prompts do not compare. Select by another "
            "metric, or mend what leaves prompts out, such as a scorer that says nothing."
        )


def _measured_on(record: TrajectoryRecord, checkpoint: CheckpointRecord) -> set[str]:
    if record.metric not in checkpoint.stage.evaluation.metrics:
        return set()
    return {*prompt_values(record.metric, checkpoint.stage, record.base)}


def _compared(record: TrajectoryRecord, best: CheckpointRecord) -> dict[int, BesideBest]:
    """Compare all others with the best, by step; equal tests count once."""
    found: dict[int, tuple[Difference, Test]] = {}
    of_best = prompt_values(record.metric, best.stage, record.base)
    for checkpoint in record.checkpoints:
        if checkpoint.step != best.step:
            values = prompt_values(record.metric, checkpoint.stage, record.base)
            found[checkpoint.step] = _difference(record, checkpoint.stage, values, of_best)
    decided = adjust("checkpoints", {test: made.p for made, test in found.values()})
    return {
        step: BesideBest(
            difference=made,
            p_adjusted=decided[test].p_adjusted,
            is_apart=decide(record.metric, made, decided[test].p_adjusted) in SHOWN,
        )
        for step, (made, test) in found.items()
    }


def _difference(
    record: TrajectoryRecord,
    stage: StageRecord,
    values: Mapping[str, float],
    of_best: Mapping[str, float],
) -> tuple[Difference, Test]:
    changes = {prompt: values[prompt] - of_best[prompt] for prompt in values if prompt in of_best}
    seen: Sequence[float] = [*values.values(), *of_best.values()]
    bound = largest_difference(record.metric, seen)
    known = stage.clusters(record.metric)
    clusters = [known.get(prompt, prompt) for prompt in changes] if known else None
    made = difference(list(changes.values()), bound=bound, clusters=clusters)
    return made, equal_test(changes, bound)
