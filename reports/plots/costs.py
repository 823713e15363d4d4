"""What accuracy cost: accuracy against training time, trained parameters and peak memory.

A point is the last stage of a run, or of a chain of a study. Each setting was trained once: the
intervals are over problems, and do not say how much runs with other seeds would differ. Minutes are
of the machine, with whatever else ran on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from string import ascii_uppercase
from typing import TYPE_CHECKING

from stagelift.evals.metrics.measures import SHARE, leading, measure
from stagelift.evals.records import Metric
from stagelift.reports.plots.canvas import (
    Canvas,
    add_panel,
    new_canvas,
    percent_axis,
    series,
    write,
)
from stagelift.reports.plots.labels import distinct_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import INK, MUTED, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.counting import duration, memory
from stagelift.reports.words.formatting import value_with_n

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
LEFT, SPACE, TOP, PANEL, AXIS, LINE = 44.0, 18.0, 30.0, 150.0, 46.0, 17.0
# between two points: as wide as a marker or letter, and a little more
APART = 14.0


@dataclass(frozen=True)
class Cost:
    """The accuracy after the last trained stage of a chain, and what all of its stages took.

    `metric` names it: in a user's own task it is the first score.
    """

    label: str
    metric: str
    accuracy: Metric
    seconds: float
    parameters: int
    memory: int


def costs_plot(report: Report) -> Plot | None:
    """Draw three panels with a point for each chain.

    None where fewer than two chains were trained and have an accuracy.
    """
    ends = [end for run in report.runs for end in _ends(run.record, report)]
    labels = distinct_labels([title for title, _, _ in ends], 34)
    costs = []
    for label, (_, run, stage) in zip(labels, ends, strict=True):
        cost = _cost(label, run, stage)
        if cost is not None:
            costs.append(cost)
    if len(costs) < 2:
        return None
    return finish(_draw(costs), "costs", "What accuracy cost", _alt(costs))


def letter(position: int) -> str:
    """Name a point: A to Z, then A1, B1 ..."""
    alphabet, letter = divmod(position, len(ascii_uppercase))
    if alphabet == 0:
        return ascii_uppercase[letter]
    return f"{ascii_uppercase[letter]}{alphabet}"


def _ends(run: RunRecord, report: Report) -> list[tuple[str, RunRecord, StageRecord]]:
    """Return the last stages of a run's chains with their titles.

    Of a plain chain it is the last trained stage, by the run's name.
    """
    if run.chains:
        names = [list(chain.stages.values())[-1] for chain in run.chains if chain.complete]
        stages = [run.stage(name) for name in names]
        return [(report.column(stage), run, stage) for stage in stages]
    trained = [stage for stage in run.stages if stage.training is not None]
    if not trained:
        return []
    return [(run.name, run, trained[-1])]


def _cost(label: str, run: RunRecord, stage: StageRecord) -> Cost | None:
    chain = [member.training for member in run.chain(stage)]
    trainings = [training for training in chain if training is not None]
    main = leading(stage.evaluation.metrics)
    if not trainings or main is None or measure(main).bounds != SHARE:
        return None
    accuracy = stage.evaluation.metrics[main]
    return Cost(
        label=label,
        metric=main,
        accuracy=accuracy,
        seconds=sum(training.seconds for training in trainings),
        parameters=trainings[-1].trainable_parameters,
        memory=max(training.peak_memory_bytes for training in trainings),
    )


def _draw(costs: Sequence[Cost]) -> Canvas:
    canvas = new_canvas(TOP + PANEL + AXIS + LINE * len(costs) + 8)
    width = (WIDTH - LEFT - 3 * SPACE) / 3
    axes = {
        "training minutes of that machine": [cost.seconds / 60 for cost in costs],
        "trained parameters, millions": [cost.parameters / 1e6 for cost in costs],
        "peak memory in training, GB": [cost.memory / 1e9 for cost in costs],
    }
    for column, (title, values) in enumerate(axes.items()):
        left = LEFT + (width + SPACE) * column
        panel = add_panel(canvas, left, TOP, width, PANEL)
        percent_axis(panel, "y", (0, 0.25, 0.5, 0.75, 1))
        panel.set_xlim(0, 1.2 * max(values) or 1)
        panel.locator_params(axis="x", nbins=4)
        if column:
            panel.set_yticklabels([])
        _draw_points(panel, costs, values, width)
        write(canvas, left, TOP + PANEL + 32, title, color=MUTED, size=SMALL)
    title = (
        f"{measure(costs[0].metric).title} after the last trained stage, 95% intervals; "
        "points of like cost stand side by side"
    )
    write(canvas, LEFT, 10, title, color=MUTED, size=SMALL)
    for position, cost in enumerate(costs):
        _draw_key(canvas, position, cost, TOP + PANEL + AXIS + LINE * (position + 0.5))
    return canvas


def _draw_points(
    panel: "Axes", costs: Sequence[Cost], values: Sequence[float], width: float
) -> None:
    end = panel.get_xlim()[1]
    apart = end * min(APART / width, 1 / len(costs))
    # of very many points a letter is wider than their distance: then they stand in rows
    rows = ceil(APART / width * end / apart)
    for position, (cost, x) in enumerate(zip(costs, spread(values, apart, end), strict=True)):
        color, marker = series(position)
        low, value, high = cost.accuracy.low, cost.accuracy.value, cost.accuracy.high
        panel.plot([x, x], [low, high], color=color, linewidth=1.6)
        panel.plot([x], [value], color=color, marker=marker, markersize=7, clip_on=False)
        panel.annotate(
            letter(position),
            (x, high),
            xytext=(0, 4 + 11 * (position % rows)),
            textcoords="offset points",
            color=INK,
            size=SMALL,
            ha="center",
        )


def spread(values: Sequence[float], apart: float, end: float) -> list[float]:
    """Move points of like cost beside each other, around their middle: none hides another, and none
    leaves the axis.
    """
    groups = [[point] for point in sorted(range(len(values)), key=values.__getitem__)]
    starts = _starts(groups, values, apart, end)
    while (meeting := _meeting(groups, starts, apart)) is not None:
        groups[meeting : meeting + 2] = [groups[meeting] + groups[meeting + 1]]
        starts = _starts(groups, values, apart, end)
    moved = list(values)
    for group, start in zip(groups, starts, strict=True):
        for place, point in enumerate(group):
            moved[point] = start + apart * place
    return moved


def _starts(
    groups: Sequence[Sequence[int]], values: Sequence[float], apart: float, end: float
) -> list[float]:
    """Say where the first point of each group stands."""
    starts = []
    for group in groups:
        reach = apart * (len(group) - 1)
        middle = sum(values[point] for point in group) / len(group)
        starts.append(max(0.0, min(middle - reach / 2, end - reach)))
    return starts


def _meeting(groups: Sequence[Sequence[int]], starts: Sequence[float], apart: float) -> int | None:
    """Return the first group that the next one is too near to."""
    ends = [start + apart * (len(group) - 1) for group, start in zip(groups, starts, strict=True)]
    for place, (reached, start) in enumerate(zip(ends, starts[1:], strict=False)):
        # what was set apart by just so much stays, whatever was rounded
        if start - reached < apart * (1 - 1e-9):
            return place
    return None


def _draw_key(canvas: Canvas, position: int, cost: Cost, y: float) -> None:
    color, marker = series(position)
    canvas.sheet.plot([LEFT + 4], [y], color=color, marker=marker, markersize=6.5)
    write(canvas, LEFT + 14, y, f"{letter(position)}  {cost.label}", size=SMALL)
    write(canvas, WIDTH - SPACE, y, _numbers(cost), align="right", size=SMALL, color=MUTED)


def _numbers(cost: Cost) -> str:
    numbers = (
        value_with_n(cost.metric, cost.accuracy),
        duration(cost.seconds),
        f"{cost.parameters / 1e6:.3g} M",
        memory(cost.memory),
    )
    return "; ".join(numbers)


def _alt(costs: Sequence[Cost]) -> str:
    runs = ". ".join(f"{cost.label} {_numbers(cost)}" for cost in costs)
    title = measure(costs[0].metric).title
    return (
        f"{title[0].upper()}{title[1:]} after the last trained stage, with training time on that "
        f"machine, trained parameters and peak training memory: {runs}."
    )
