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
from stagelift.reports.plots.style import MUTED, SERIES, SMALL, WIDTH
from stagelift.reports.plots.svg import finish
from stagelift.reports.report import Report

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
        return [
            (step, value)
            for step, value in zip(self.steps, self.values, strict=True)
            if isfinite(value)
        ]


Cells = dict[str, list[Curve]]


def training_plot(report: Report) -> Plot | None:
    """Draw a row of panels for each trained stage; None where nothing was logged."""
    trained = [
        (stage, stage.training.history) for stage in report.stages() if stage.training is not None
    ]
    found = [(stage, cells) for stage, history in trained if (cells := training_curves(history))]
    if not found:
        return None
    labels = column_labels(report, [stage for stage, _ in found])
    rows = list(zip(labels, [cells for _, cells in found], strict=True))
    return finish(_draw(rows), "training", "Training curves", _alt(rows))


def training_curves(history: Sequence[Mapping[str, JsonValue]]) -> Cells:
    """Read the curves off a history, by column; a column without a value is left out."""
    steps: dict[float, dict[str, float]] = {}
    # a step can have several rows: of training, of evaluation, of the end
    for row in history:
        step = _number(row.get("step"))
        if isfinite(step):
            known = {
                name: _number(value) for name, value in row.items() if isfinite(_number(value))
            }
            steps[step] = {**steps.get(step, {}), **known}
    cells = {
        title: list(_curves(lines, dict(sorted(steps.items()))))
        for title, lines in QUANTITIES.items()
    }
    return {title: curves for title, curves in cells.items() if curves}


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else nan


def _curves(
    lines: Mapping[str, str], steps: Mapping[float, Mapping[str, float]]
) -> Iterator[Curve]:
    for key, name in lines.items():
        values = [row.get(key, nan) for row in steps.values()]
        if any(map(isfinite, values)):
            spread = (
                [row.get(SPREAD[key], nan) for row in steps.values()] if key in SPREAD else None
            )
            yield Curve(name, list(steps), values, spread)


def _draw(rows: Sequence[tuple[str, Cells]]) -> Canvas:
    titles = [title for title in QUANTITIES if any(title in cells for _, cells in rows)]
    curves = [curve for _, cells in rows for found in cells.values() for curve in found]
    names = [name for name in STYLES if name and any(curve.name == name for curve in curves)]
    across, height = WIDTH / len(titles), HEADER + PANEL + BELOW
    canvas = new_canvas(TOP + height * len(rows) + BOTTOM + (KEY if names else 0))
    for column, title in enumerate(titles):
        write(canvas, across * column + LEFT, 10, title, bold=True)
    for row, (label, cells) in enumerate(rows):
        top = TOP + height * row
        write(canvas, 0, top + 12, label)
        for title, found in cells.items():
            left = across * titles.index(title) + LEFT
            _draw_cell(add_panel(canvas, left, top + HEADER, across - LEFT - RIGHT, PANEL), found)
    band = (
        "; band: one standard deviation over completions"
        if any(curve.spread for curve in curves)
        else ""
    )
    end = TOP + height * len(rows) + 9
    write(canvas, LEFT, end, f"across: optimizer steps{band}", color=MUTED, size=SMALL)
    _draw_key(canvas, names, end + KEY)
    return canvas


def _draw_cell(panel: "Axes", curves: Sequence[Curve]) -> None:
    panel.locator_params(axis="x", nbins=3, integer=True)
    panel.locator_params(axis="y", nbins=3)
    panel.yaxis.set_major_formatter(lambda value, _: _tick(value))
    for curve in curves:
        color, line = STYLES[curve.name]
        if curve.spread is not None:
            band = list(zip(curve.values, curve.spread, strict=True))
            low, high = [v - s for v, s in band], [v + s for v, s in band]
            panel.fill_between(curve.steps, low, high, color=color, alpha=0.2, linewidth=0)
        panel.plot(curve.steps, curve.values, color=color, linewidth=1.4, linestyle=line)
        alone = points_alone(curve.values)
        steps, values = [curve.steps[one] for one in alone], [curve.values[one] for one in alone]
        panel.plot(steps, values, color=color, marker="o", markersize=4, linestyle="none")
    _widen(panel, [step for curve in curves for step, _ in curve.logged()])


def _widen(panel: "Axes", steps: Sequence[float]) -> None:
    """Keep what hardly moves from filling a panel with its noise, and name the step of a single
    point.
    """
    low, high = panel.get_ylim()
    middle = (low + high) / 2
    reach = max((high - low) / 2, 0.02 * abs(middle))
    panel.set_ylim(middle - reach, middle + reach)
    if len(set(steps)) == 1:
        panel.set_xticks(steps[:1])


def _tick(value: float) -> str:
    """Write a tick in a few letters: `0.25`, `1200`, and small ones as powers; never apart from its
    axis, as matplotlib would.
    """
    if value and abs(value) < 0.001:
        digits, _, exponent = f"{value:.2e}".partition("e")
        return f"{float(digits):g}e{int(exponent)}".replace("-", "−")
    return f"{value:.6g}".replace("-", "−")


def _draw_key(canvas: Canvas, names: Sequence[str], y: float) -> None:
    x = LEFT
    for name in names:
        color, line = STYLES[name]
        canvas.sheet.plot([x, x + 22], [y, y], color=color, linewidth=1.6, linestyle=line)
        write(canvas, x + 28, y, _key(name), size=SMALL)
        x += 28 + text_width(_key(name), SMALL) + 16


def _key(name: str) -> str:
    return "margin between them" if name == "margin" else f"reward of {name} answers"


def points_alone(values: Sequence[float]) -> list[int]:
    """Find the points that no line can show: those with a gap, or the end, on both sides."""
    known = [False, *map(isfinite, values), False]
    return [
        one
        for one in range(len(values))
        if known[one + 1] and not known[one] and not known[one + 2]
    ]


def _alt(rows: Sequence[tuple[str, Cells]]) -> str:
    return " ".join(f"{label}: {', '.join(_words(cells))}." for label, cells in rows)


def _words(cells: Cells) -> Iterator[str]:
    for title, curves in cells.items():
        for curve in curves:
            (first, start), (last, end) = curve.logged()[0], curve.logged()[-1]
            to = "" if first == last else f" to {end:.3g} at step {last:g}"
            yield f"{f'{title} ({curve.name})' if curve.name else title} {start:.3g} at step {first:g}{to}"
