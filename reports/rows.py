"""The stage table as plain cells, shared by the terminal and Markdown: one column per stage, one group of rows per metric."""

from collections.abc import Callable
from dataclasses import dataclass

from reports import formatting
from reports.compare import Comparison
from reports.records import StageRecord
from reports.report import Report

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A cell's text and, on a second line, a note: a difference's verdict, or wins, ties and losses."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One row: a metric's values, or (`indented`) its differences to another stage. The note says how and with what n."""

    title: str
    cells: list[Cell]
    note: str = ""
    indented: bool = False


def metric_rows(report: Report) -> list[list[Row]]:
    """Return one group of rows per metric: its values, then the differences to the previous stage and to base."""
    stages = report.stages()
    names = [name for name in formatting.TITLES if any(name in stage.evaluation.metrics for stage in stages)]
    return [_metric_group(name, report) for name in names]


def cost_rows(report: Report) -> list[Row]:
    """Return what each stage's training and evaluation took."""
    stages = report.stages()
    return [
        Row("outcomes", [Cell(_outcomes(stage)) for stage in stages]),
        Row("training time", [_trained(stage, lambda t: formatting.duration(t.seconds)) for stage in stages]),
        Row(
            "training peak memory",
            [_trained(stage, lambda t: formatting.memory(t.peak_memory_bytes)) for stage in stages],
        ),
        Row("trainable parameters", [_trained(stage, lambda t: f"{t.trainable_parameters:,}") for stage in stages]),
        Row("steps / tokens", [_trained(stage, lambda t: f"{t.steps:,} / {t.tokens:,}") for stage in stages]),
        Row("evaluation time", [Cell(formatting.duration(stage.evaluation.seconds)) for stage in stages]),
        Row(
            "evaluation peak memory", [Cell(formatting.memory(stage.evaluation.peak_memory_bytes)) for stage in stages]
        ),
    ]


def header_lines(report: Report) -> list[tuple[str, str]]:
    """Return what a reader must know before the numbers: model, data, contract, versions, device, wall clock."""
    lines = []
    for run in report.runs:
        contract = run.contract
        problems = f"{contract['task']}, {run.stages[0].evaluation.metrics['accuracy'].n} test problems"
        held_out = f" and {contract['held_out']} of held-out templates" if contract["held_out"] else ""
        settings = (
            f"{contract['num_fewshot']}-shot chat, greedy, at most {contract['max_tokens']} tokens, {contract['dtype']}"
        )
        lines += [
            ("run", run.name + (f" (unfinished: {', '.join(run.missing)} missing)" if run.missing else "")),
            ("model", run.model),
            ("data", run.data),
            ("evaluation", f"{problems}{held_out}; {settings}; judge {contract['judge']}"),
            ("contract", run.contract_id),
            ("device", run.device),
            ("wall clock", _wall_clock(run.wall_clock_seconds, run.sittings)),
            ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        ]
    return lines


def footnotes() -> list[str]:
    """Return how to read the table."""
    return [
        "95% intervals in brackets; differences are paired by problem (percentage points, or tokens). Verdicts use "
        "Holm-adjusted p < 0.05 over the whole table, the intervals are each on their own: one may leave out zero where the "
        "verdict shows no difference. MDE is the difference that this n would show with 80% power in a single test.",
        "Lengths, outcomes and win rates are of the test problems. Shorter and less often cut off count as improved. The "
        "win rate's judge knows the answers: right beats wrong; of two right answers the shorter by more than 10% wins.",
    ]


def _metric_group(name: str, report: Report) -> list[Row]:
    stages = report.stages()
    counts = sorted({stage.evaluation.metrics[name].n for stage in stages if name in stage.evaluation.metrics})
    title, how = formatting.TITLES[name]
    note = f"{how}, n={'/'.join(map(str, counts))}"
    group = [Row(title, [_value(name, stage, report) for stage in stages], note)]
    for label in ("previous", "base"):
        cells = [_difference(name, stage, label, report) for stage in stages]
        if any(cell.text != NOTHING for cell in cells):
            group.append(Row("to one half" if name.startswith("win_rate") else f"to {label}", cells, indented=True))
    return group


def _value(name: str, stage: StageRecord, report: Report) -> Cell:
    metric = stage.evaluation.metrics.get(name)
    if metric is None:
        return Cell(NOTHING)
    return Cell(formatting.value(name, metric), _value_note(name, stage, report))


def _value_note(name: str, stage: StageRecord, report: Report) -> str:
    """Say what belongs to a value: quantiles to the mean length; counts and sign test to a win rate."""
    metrics = stage.evaluation.metrics
    if name == "length_tokens":
        quantiles = {"median": metrics["length_tokens_median"], "p90": metrics["length_tokens_p90"]}
        return "\n".join(f"{title} {m.value:g} [{m.low:g}, {m.high:g}]" for title, m in quantiles.items())
    if name not in stage.evaluation.win_tie_loss:
        return ""
    wins, ties, losses = stage.evaluation.win_tie_loss[name]
    found = _difference_of(name, stage, name.removeprefix("win_rate_"), report)
    sign = "" if found is None or found.p_sign is None else f"\nsign test {formatting.p_value(found.p_sign)}"
    return f"W/T/L {wins}/{ties}/{losses}{sign}"


def _difference(name: str, stage: StageRecord, label: str, report: Report) -> Cell:
    if name.startswith("win_rate") and name != f"win_rate_{label}":
        return Cell(NOTHING)
    found = _difference_of(name, stage, label, report)
    return Cell(NOTHING) if found is None else Cell(formatting.difference(found), formatting.verdict(found))


def _difference_of(name: str, stage: StageRecord, label: str, report: Report) -> Comparison | None:
    """Find a stage's difference to the previous stage or to base; at the first trained stage they are the same one."""
    run = next(run for run in report.runs if stage in run.stages)
    position = run.stages.index(stage)
    if position == 0:
        return None
    return report.find(name, stage, run.stages[position - 1 if label == "previous" else 0].name)


def _trained(stage: StageRecord, write: Callable[..., str]) -> Cell:
    return Cell(NOTHING if stage.training is None else write(stage.training))


def _outcomes(stage: StageRecord) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in stage.evaluation.outcomes.items())


def _wall_clock(seconds: float, sittings: int) -> str:
    return formatting.duration(seconds) + (f" in {sittings} sittings" if sittings > 1 else "")
