"""The gain waterfall: how each stage's accuracy came out of the one before it.

Its parts are what used to be wrong with the responses that are right now.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING

from stagelift.evals.metrics.measures import leading, measure
from stagelift.reports.numbers.gains import Gain, Part
from stagelift.reports.plots.canvas import Canvas, add_panel, new_canvas, text_width, write
from stagelift.reports.plots.labels import column_labels, points
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import BAD, GOOD, INK, MUTED, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report, RunReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# pixels
LINE, SPACE, TOP, BOTTOM = 18.0, 10.0, 6.0, 44.0


@dataclass(frozen=True)
class Step:
    """A bar: of a part from an accuracy to the next, of a stage (`part` is None) from 0."""

    label: str
    start: float
    end: float
    part: Part | None


def gains_plot(report: Report) -> Plot | None:
    """Draw a waterfall for each run; None where no stage can be compared with one before it."""
    waterfalls = [waterfall(report, run) for run in report.runs]
    runs = [steps for steps in waterfalls if steps]
    if not runs:
        return None
    words = "; ".join(map(_words, runs))
    what = _main(report.runs[0])
    title = "Numeric accuracy" if what == "accuracy" else measure(what).title
    alt = f"{title} from stage to stage, parts in percentage points: {words}."
    return finish(_draw(runs, measure(what).title), "gains", "Where accuracy came from", alt)


def waterfall(report: Report, run: RunReport) -> list[Step]:
    """Return a run's bars: the first stage, then the parts of each gain and the stage they lead to.

    A stage that has no gain (no problem in common with the one before) begins anew at the accuracy
    that it has.
    """
    stages = report.stages()
    labels = {
        (stage.run, stage.name): label
        for stage, label in zip(stages, column_labels(report, stages), strict=True)
    }
    main = _main(run)
    accuracy = {stage.name: stage.evaluation.metrics.get(main) for stage in run.stages}
    steps: list[Step] = []
    reached = ""
    for gain in run.gains:
        metric = accuracy[gain.against]
        if gain.metric != main or metric is None:
            continue
        if gain.against != reached:
            steps.append(Step(labels[run.name, gain.against], 0.0, metric.value, None))
        steps += _parts(gain, steps[-1].end)
        steps.append(Step(labels[run.name, gain.stage], 0.0, steps[-1].end, None))
        reached = gain.stage
    return steps


def _main(run: RunReport) -> str:
    """Name what the waterfall is of: accuracy, or the first score of a user's own task."""
    every = (name for stage in run.stages for name in stage.evaluation.metrics)
    return leading(every) or "accuracy"


def _parts(gain: Gain, start: float) -> Iterator[Step]:
    for part in gain.parts:
        yield Step(part.cause, start, start + part.delta, part)
        start += part.delta


def _draw(runs: Sequence[Sequence[Step]], title: str) -> Canvas:
    steps = [step for run in runs for step in run]
    inside = LINE * len(steps) + SPACE * (len(runs) - 1)
    canvas = new_canvas(TOP + inside + BOTTOM)
    left = max(text_width(step.label, bold=True) for step in steps) + 12
    right = WIDTH - max(text_width(_numbers(step), SMALL) for step in steps)
    panel = add_panel(canvas, left, TOP, right - 14 - left, inside)
    most = max(max(step.start, step.end) for step in steps)
    panel.set(ylim=(TOP + inside, TOP), xlim=(0, min(1.0, most + 0.08)), yticks=[])
    panel.locator_params(axis="x", nbins=5)
    panel.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f}%")
    y = TOP + LINE / 2
    for run in runs:
        _draw_run(canvas, panel, run, y, left - 8, right)
        y += LINE * len(run) + SPACE
    axis = f"{title}; parts in percentage points, hollow where the 95% interval has 0 in it"
    write(canvas, WIDTH / 2, canvas.height - 9, axis, align="center", color=MUTED, size=SMALL)
    return canvas


def _draw_run(
    canvas: Canvas, panel: "Axes", steps: Sequence[Step], y: float, left: float, right: float
) -> None:
    for step, following in zip_longest(steps, steps[1:]):
        _draw_bar(panel, step, y)
        if following is not None and following.part is not None:
            panel.plot([step.end, step.end], [y, y + LINE], color=MUTED, linewidth=0.8)
        is_stage = step.part is None
        write(canvas, left, y, step.label, align="right", bold=is_stage)
        write(canvas, right, y, _numbers(step), size=SMALL, color=INK if is_stage else MUTED)
        y += LINE


def _draw_bar(panel: "Axes", step: Step, y: float) -> None:
    if step.part is None:
        panel.barh(y, step.end, height=14, color=MUTED)
    elif step.end != step.start:
        color = GOOD if step.part.delta > 0 else BAD
        hollow = step.part.low <= 0 <= step.part.high
        low, high = sorted((step.start, step.end))
        panel.barh(
            y,
            high - low,
            left=low,
            height=10,
            facecolor="none" if hollow else color,
            edgecolor=color,
            linewidth=1.4,
        )


def _numbers(step: Step) -> str:
    if step.part is None:
        return f"{100 * step.end:.1f}%"
    return f"{points(step.part.delta)} [{points(step.part.low)}, {points(step.part.high)}]"


def _words(steps: Sequence[Step]) -> str:
    """Say a run's bars in a line; a stage follows the parts that lead to it."""
    words = [f"{step.label} {_numbers(step)}" for step in steps]
    for place, (before, step) in enumerate(pairwise(steps), start=1):
        if step.part is None and before.part is not None:
            words[place] = f"to {words[place]}"
    return ", ".join(words)
