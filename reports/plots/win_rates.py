"""Win rates by stage, as judged and at equal lengths, against every opponent there is."""

from collections.abc import Iterator, Sequence

from stagelift.evals.metrics.measures import win_rate_name
from stagelift.evals.records import Group, Role
from stagelift.reports.plots.forest import Block, Estimate, Row, draw_forest
from stagelift.reports.plots.labels import column_labels
from stagelift.reports.plots.plot import Plot
from stagelift.reports.plots.svg import finish
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import value_with_n

PROMPTS: dict[Group, str] = {"test": "on problems", "preference": "on preference prompts"}
OPPONENTS: dict[Role, str] = {
    "base": "base",
    "previous": "the stage before",
    "reference": "the reference",
}
READINGS = ["as judged", "at equal lengths"]
EXTRAPOLATED, UNFIT = "extrapolated", "judge not fit"


def win_rates_plot(report: Report) -> Plot | None:
    """Draw one block for each opponent and kind of prompt; None where nothing was judged."""
    stages = report.stages()
    labels = column_labels(report, stages)
    blocks = [
        Block(f"Against {opponent}, {where}", rows)
        for group, where in PROMPTS.items()
        for role, opponent in OPPONENTS.items()
        if (rows := list(_rows(stages, labels, role, group)))
    ]
    if not blocks:
        return None
    estimates = [one for block in blocks for row in block.rows for one in row.estimates]
    readings = READINGS if any(one.series for one in estimates) else READINGS[:1]
    reasons = sorted({one.note for one in estimates if one.note})
    hollow = f"; hollow: {' or '.join(reasons)}" if reasons else ""
    canvas = draw_forest(
        blocks, readings, f"win rate, a tie counts half; 95% intervals{hollow}", center=0.5
    )
    return finish(canvas, "win_rates", "Win rates", " ".join(map(_sentence, blocks)))


def _rows(
    stages: Sequence[StageRecord], labels: Sequence[str], role: Role, group: Group
) -> Iterator[Row]:
    names = [win_rate_name(role, group, equal_lengths=controlled) for controlled in (False, True)]
    for stage, label in zip(stages, labels, strict=True):
        found = stage.evaluation
        estimates = [
            Estimate(found.metrics[name], number, _note(name, stage))
            for number, name in enumerate(names)
            if name in found.metrics
        ]
        if estimates:
            yield Row(label, estimates)


def _note(name: str, stage: StageRecord) -> str:
    """Say why an estimate is not to be relied on."""
    passport = stage.evaluation.passport
    if passport is not None and passport.fit is False:
        return UNFIT
    return EXTRAPOLATED if name in stage.evaluation.extrapolated else ""


def _sentence(block: Block) -> str:
    return f"{block.header}: {'; '.join(f'{row.label} {_estimates(row)}' for row in block.rows)}."


def _estimates(row: Row) -> str:
    return ", ".join(
        f"{READINGS[one.series]} {value_with_n('win_rate', one.metric)}"
        + (f" ({one.note})" if one.note else "")
        for one in row.estimates
    )
