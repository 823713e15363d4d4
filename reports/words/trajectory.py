"""Which checkpoint was selected, and what it could not be told from, in words."""

from stagelift.evals.metrics.measures import measure
from stagelift.reports.numbers.trajectory import Point, Trajectory
from stagelift.reports.words import counting, formatting


def checkpoint_word(point: Point) -> str:
    """Say what a checkpoint is beside the selected one."""
    if point.beside is None:
        return "selected"
    return "told apart" if point.beside.is_apart else "cannot be told from it"


def trajectory_sentence(curve: Trajectory) -> str:
    """Say which checkpoint a stage is, by what, and which others it might as well be."""
    return f"{curve.stage} is its checkpoint of {selected_because(curve)}."


def selected_because(curve: Trajectory) -> str:
    """Say which step was selected, and why: `step 200, the best of 3 by accuracy ...`."""
    return (
        f"step {curve.selected}, the best of {len(curve.points)} by "
        f"{measure(curve.metric).title} on validation data "
        f"({formatting.value_with_n(curve.metric, curve.best.value)}); {_alike(curve)}"
    )


def _alike(curve: Trajectory) -> str:
    others = len(curve.points) - 1
    if not others:
        return "there was no other"
    if not curve.alike:
        return "every other one can be told from it"
    if len(curve.alike) == others and others > 1:
        return "none of the others can be told from it"
    steps = counting.listed([str(step) for step in curve.alike])
    return f"{'step' if len(curve.alike) == 1 else 'steps'} {steps} cannot be told from it"
