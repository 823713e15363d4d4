"""Training curves: what TRL logged of each stage.

Raw values; of different stages they are not comparable.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING

from pydantic import JsonValue

from stagelift.reports.plots.canvas import Canvas, add_panel, new_canvas, text_width, write
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.style import BAD, MUTED, SERIES, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report
from stagelift.reports.words.illness import signs_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.typing import LineStyleType as LineStyle

# the title of a column, and what TRL calls the lines that are drawn in it, with their names where
# there are several
QUANTITIES = {
    "loss": {"loss": ""},
    "reward": {
        "reward": "",
        "rewards/chosen": "chosen",
        "rewards/rejected": "rejected",
        "rewards/margins": "margin",
    },
    "KL": {"kl": ""},
    "length, tokens": {"completions/mean_length": ""},
}
SPREAD = {"reward": "reward_std"}
STYLES: dict[str, tuple[str, "LineStyle"]] = {
    "": (SERIES[0], "-"),
    "chosen": (SERIES[0], "-"),
    "rejected": (SERIES[1], (0, (4, 2))),
    "margin": (SERIES[2], (0, (1, 1.5))),
}
# what the key calls a line
KEYS = {
    "chosen": "reward of chosen answers",
    "rejected": "reward of rejected answers",
    "margin": "margin between them",
}
# pixels
HEADER, PANEL, BELOW, TOP, BOTTOM, KEY = 24.0, 78.0, 24.0, 20.0, 20.0, 18.0
LEFT, RIGHT = 50.0, 12.0


@dataclass(frozen=True)
class Curve:
    """A logged value by step; nan where there is none, which is a gap and never a zero.

    `spread` is of the same steps.
    """

    name: str
    steps: list[float]
    values: list[float]
    spread: list[float] | None

    def logged(self) -> list[tuple[float, float]]:
        """Return the points there are."""
        points = zip(self.steps, self.values, strict=True)
        return [(step, value) for step, value in points if isfinite(value)]


# the curves of a stage, by the title of their column
Cells = dict[str, list[Curve]]


@dataclass(frozen=True)
class TrainedStage:
    """A row of the plot: a stage's curves, and the steps since when it showed signs of illness."""

    label: str
    cells: Cells
    ill: tuple[int, ...]


def training_plot(report: Report) -> Plot | None:
    """Draw a row of panels for each trained stage; None where nothing was logged."""
    stages, drawn = [], []
    for stage in report.stages():
        if stage.training is None:
            continue
        cells = training_curves(stage.training.history)
        if cells:
            stages.append(stage)
            drawn.append(cells)
    if not stages:
        return None
    rows = [
        TrainedStage(label, cells, tuple(sign.step for sign in signs_of(stage)))
        for label, cells, stage in zip(column_labels(report, stages), drawn, stages, strict=True)
    ]
    return finish(_draw(rows), "training", "Training curves", _alt(rows))


def training_curves(history: Sequence[Mapping[str, JsonValue]]) -> Cells:
    """Read the curves off a history, by column; a column without a value is left out."""
    steps = _by_step(history)
    cells = {title: list(_curves(lines, steps)) for title, lines in QUANTITIES.items()}
    return {title: curves for title, curves in cells.items() if curves}


def _by_step(history: Sequence[Mapping[str, JsonValue]]) -> dict[float, dict[str, float]]:
    """Put together what was logged at each step.

    A step can have several rows: of training, of evaluation, of the end.
    """
    steps: dict[float, dict[str, float]] = {}
    for row in history:
        numbers = {name: _number(value) for name, value in row.items()}
        logged = {name: number for name, number in numbers.items() if isfinite(number)}
        if "step" in logged:
            steps.setdefault(logged["step"], {}).update(logged)
    return dict(sorted(steps.items()))


def _number(value: JsonValue) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return nan
    return float(value)


def _curves(
    lines: Mapping[str, str], steps: Mapping[float, Mapping[str, float]]
) -> Iterator[Curve]:
    for key, name in lines.items():
        values = [logged.get(key, nan) for logged in steps.values()]
        if not any(map(isfinite, values)):
            continue
        spread = None
        if key in SPREAD:
            spread = [logged.get(SPREAD[key], nan) for logged in steps.values()]
        yield Curve(name, list(steps), values, spread)


def _draw(rows: Sequence[TrainedStage]) -> Canvas:
    curves = [curve for row in rows for column in row.cells.values() for curve in column]
    names = [name for name in STYLES if name and any(curve.name == name for curve in curves)]
    height = HEADER + PANEL + BELOW
    end = TOP + height * len(rows)
    key_height = KEY if names else 0
    canvas = new_canvas(end + BOTTOM + key_height)
    _draw_panels(canvas, rows, height)
    axis = "across: optimizer steps"
    if any(curve.spread for curve in curves):
        axis += "; band: one standard deviation over completions"
    if any(row.ill for row in rows):
        axis += "; upright lines: ill since there"
    write(canvas, LEFT, end + 9, axis, color=MUTED, size=SMALL)
    _draw_key(canvas, names, end + 9 + KEY)
    return canvas


def _draw_panels(canvas: Canvas, rows: Sequence[TrainedStage], height: float) -> None:
    titles = [title for title in QUANTITIES if any(title in row.cells for row in rows)]
    across = WIDTH / len(titles)
    for column, title in enumerate(titles):
        write(canvas, across * column + LEFT, 10, title, bold=True)
    for place, row in enumerate(rows):
        top = TOP + height * place
        write(canvas, 0, top + 12, row.label)
        for title, curves in row.cells.items():
            left = across * titles.index(title) + LEFT
            panel = add_panel(canvas, left, top + HEADER, across - LEFT - RIGHT, PANEL)
            _draw_cell(panel, curves)
            for step in row.ill:
                panel.axvline(step, color=BAD, linewidth=1, linestyle=(0, (3, 2)))


def _draw_cell(panel: "Axes", curves: Sequence[Curve]) -> None:
    panel.locator_params(axis="x", nbins=3, integer=True)
    panel.locator_params(axis="y", nbins=3)
    panel.yaxis.set_major_formatter(lambda value, _: _tick(value))
    for curve in curves:
        _draw_curve(panel, curve)
    _widen(panel, [step for curve in curves for step, _ in curve.logged()])


def _draw_curve(panel: "Axes", curve: Curve) -> None:
    color, line = STYLES[curve.name]
    if curve.spread is not None:
        band = list(zip(curve.values, curve.spread, strict=True))
        low = [value - spread for value, spread in band]
        high = [value + spread for value, spread in band]
        panel.fill_between(curve.steps, low, high, color=color, alpha=0.2, linewidth=0)
    panel.plot(curve.steps, curve.values, color=color, linewidth=1.4, linestyle=line)
    alone = points_alone(curve.values)
    steps = [curve.steps[point] for point in alone]
    values = [curve.values[point] for point in alone]
    panel.plot(steps, values, color=color, marker="o", markersize=4, linestyle="none")


def points_alone(values: Sequence[float]) -> list[int]:
    """Find the points that no line can show: those with a gap, or the end, on both sides."""
    known = [False, *map(isfinite, values), False]
    neighbours = zip(known, known[1:], known[2:], strict=False)
    return [
        point
        for point, (before, here, after) in enumerate(neighbours)
        if here and not before and not after
    ]


def _widen(panel: "Axes", steps: Sequence[float]) -> None:
    """Keep what hardly moves from filling a panel with its noise.

    A single point has its step named.
    """
    low, high = panel.get_ylim()
    middle = (low + high) / 2
    reach = max((high - low) / 2, 0.02 * abs(middle))
    panel.set_ylim(middle - reach, middle + reach)
    if len(set(steps)) == 1:
        panel.set_xticks(steps[:1])


def _tick(value: float) -> str:
    """Write a tick in a few letters: `0.25`, `1200`, and small ones as powers.

    matplotlib would write the power apart from its axis.
    """
    if value and abs(value) < 0.001:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(exponent)}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def _draw_key(canvas: Canvas, names: Sequence[str], y: float) -> None:
    x = LEFT
    for name in names:
        color, line = STYLES[name]
        text = KEYS[name]
        canvas.sheet.plot([x, x + 22], [y, y], color=color, linewidth=1.6, linestyle=line)
        write(canvas, x + 28, y, text, size=SMALL)
        x += 28 + text_width(text, SMALL) + 16


def _alt(rows: Sequence[TrainedStage]) -> str:
    return " ".join(f"{row.label}: {', '.join([*_words(row.cells), *_ill(row)])}." for row in rows)


def _ill(row: TrainedStage) -> list[str]:
    steps = ", ".join(str(step) for step in dict.fromkeys(row.ill))
    return [f"ill since step {steps}"] if steps else []


def _words(cells: Cells) -> Iterator[str]:
    for title, curves in cells.items():
        for curve in curves:
            quantity = f"{title} ({curve.name})" if curve.name else title
            points = [f"{value:.3g} at step {step:g}" for step, value in curve.logged()]
            yield f"{quantity} {' to '.join(dict.fromkeys((points[0], points[-1])))}"
