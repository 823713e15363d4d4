"""The stage table as plain cells, shared by the terminal and Markdown: one column per stage, one group of rows per metric."""

from collections.abc import Callable
from dataclasses import dataclass

from evals.records import GoldAgreement, Passport, Usage
from reports import formatting
from reports.compare import Comparison
from reports.ranking import Strength
from reports.records import RunRecord, StageRecord
from reports.report import Report
from reports.values import LENGTHS

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
    present = {name for stage in stages for name in stage.evaluation.metrics}
    if not _is_chain(report):  # with one trained stage, previous and base are one
        present = {name for name in present if "previous" not in name}
    return [_metric_group(name, report) for name in formatting.ordered(present) if _has_row(name, present)]


def cost_rows(report: Report) -> list[Row]:
    """Return what each stage's training and evaluation took, as far as that is known."""
    return [row for row in _cost_rows(report.stages()) if any(cell.text != NOTHING for cell in row.cells)]


def header_lines(report: Report) -> list[tuple[str, str]]:
    """Return what a reader must know before the numbers: model, data, contract, judge, versions, device, wall clock."""
    lines = []
    for run in report.runs:
        judged = report.passports.get(run.name)
        lines += [
            ("run", run.name + (f" (unfinished: {', '.join(run.missing)} missing)" if run.missing else "")),
            ("model", run.model),
            ("data", run.data),
            ("evaluation", _asked(run)),
            *([] if judged is None else passport_lines(judged)),
            ("contract", run.contract_id),
            ("device", run.device),
            ("wall clock", _wall_clock(run.wall_clock_seconds, run.sittings)),
            ("versions", ", ".join(f"{name} {version}" for name, version in run.versions.items())),
        ]
    return [(name, text) for name, text in lines if text]


def passport_lines(passport: Passport) -> list[tuple[str, str]]:
    """Write a judge's passport: who, what it did on the run's pairs, how it agrees with gold pairs, and what it cost."""
    prompt = f" (prompt {passport.prompt_hash})" if passport.prompt_hash else ""
    return [
        ("judge", f"{passport.judge}{prompt}"),
        ("judge's pairs", _behaviour(passport) if passport.pairs else ""),
        (
            "judge's fitness",
            "not checked: no gold pairs" if passport.gold is None else _fitness(passport.gold, passport.fit),
        ),
        ("judge's cost", "" if passport.usage is None else _usage(passport.usage)),
    ]


def footnotes(report: Report) -> list[str]:
    """Return how to read the table, as far as the report has what is explained."""
    names = {name for stage in report.stages() for name in stage.evaluation.metrics}
    notes = [
        "95% intervals in brackets; differences are paired by prompt (percentage points, tokens or characters). Verdicts use "
        "Holm-adjusted p < 0.05 over the whole table, the intervals are each on their own: one may leave out zero where the "
        "verdict shows no difference. MDE is the difference that this n would show with 80% power in a single test.",
        "Lengths, outcomes and win rates are of the test problems, unless said. Shorter and less often cut off count as "
        "improved; × is the ratio of geometric mean lengths.",
    ]
    if any(str(run.contract["judge"]).startswith("reference") for run in report.runs):
        notes.append(
            "The win rate's judge knows the answers: right beats wrong; of two right answers the shorter by more than 10% wins."
        )
    if any(name.startswith("win_rate_lc") for name in names):
        notes.append(
            "At equal lengths: what the win rate would be if both wrote equally many characters, by a binomial regression on "
            "tanh(length difference / sd). Marked 'extrapolated' where nearly all of one side's responses are the longer ones."
        )
    if "preference_accuracy" in names:
        notes.append(
            "Preference accuracy: how often the log-probability ratio to base is higher for the better answer of a held-out "
            "pair (base itself would be at 50%)."
        )
    if any(name.startswith("pass@") for name in names):
        notes.append(
            "pass@k: the share of problems that at least one of k samples solves (unbiased). Accuracy up and pass@k not: the "
            "model became surer of what it could do, not more capable."
        )
    notes += [f"Ranking of {run}, by {_ranking(ranks)}" for run, ranks in report.rankings.items()]
    return notes


def _cost_rows(stages: list[StageRecord]) -> list[Row]:
    return [
        Row("outcomes", [Cell(_outcomes(stage)) for stage in stages]),
        Row("training time", [_trained(stage, lambda t: formatting.duration(t.seconds)) for stage in stages]),
        Row(
            "training peak memory",
            [_trained(stage, lambda t: formatting.memory(t.peak_memory_bytes)) for stage in stages],
        ),
        Row("trainable parameters", [_trained(stage, lambda t: f"{t.trainable_parameters:,}") for stage in stages]),
        Row("steps / tokens", [_trained(stage, lambda t: f"{t.steps:,} / {t.tokens:,}") for stage in stages]),
        Row("evaluation time", [_evaluated(stage.evaluation.seconds, formatting.duration) for stage in stages]),
        Row(
            "evaluation peak memory",
            [_evaluated(stage.evaluation.peak_memory_bytes, formatting.memory) for stage in stages],
        ),
    ]


def _ranking(ranks: list[Strength]) -> str:
    written = ", ".join(
        f"{rank.stage} {rank.strength.value:+.2f} [{rank.strength.low:+.2f}, {rank.strength.high:+.2f}]"
        for rank in ranks
    )
    against, n = ranks[0].reference, ranks[0].strength.n
    return f"Bradley-Terry over all judged pairs (log-odds against {against}, n={n} prompts): {written}."


def _asked(run: RunRecord) -> str:
    """Say what was asked and how; of an imported run, where it came from."""
    contract = run.contract
    if "imported" in contract:
        return f"imported from {contract['imported']}, {max(m.n for m in run.stages[0].evaluation.metrics.values())} prompts"
    accuracy = run.stages[0].evaluation.metrics["accuracy"].n
    held_out = f" and {contract['held_out']} of held-out templates" if contract["held_out"] else ""
    samples = f", {contract['samples']} samples each" if contract["samples"] > 1 else ""
    return (
        f"{contract['task']}, {accuracy} test problems{held_out}; {contract['num_fewshot']}-shot chat, "
        f"{contract['decoding']}{samples}, at most {contract['max_tokens']} tokens, {contract['dtype']}"
    )


def _behaviour(passport: Passport) -> str:
    rates = {
        "same verdict in both orders": passport.position_consistency,
        "first slot": passport.first_slot_rate,
        "prefers the longer": passport.prefers_longer,
    }
    written = [f"{name} {formatting.value_with_n('', rate)}" for name, rate in rates.items() if rate is not None]
    return "; ".join([f"{passport.pairs} judged, {passport.failures} without a verdict", *written])


def _fitness(gold: GoldAgreement, fit: bool | None) -> str:
    kappa, control = gold.kappa, formatting.value("", gold.control)
    decision = "FIT TO DECIDE" if fit else "NOT FIT TO DECIDE: it does not beat the longest control"
    return (
        f"{decision}; agrees with {gold.pairs} {formatting.value_with_n('', gold.agreement)}, longest control {control}, kappa "
        f"{kappa.value:.2f} [{kappa.low:.2f}, {kappa.high:.2f}], {gold.failures} without a verdict"
    )


def _usage(usage: Usage) -> str:
    cost = "cost not known" if usage.cost_usd is None else f"${usage.cost_usd:.4f}"
    tokens = f"{usage.prompt_tokens:,} + {usage.completion_tokens:,} tokens"
    return f"{usage.requests} requests ({usage.cached} answers from the cache), {tokens}, {cost}"


def _is_chain(report: Report) -> bool:
    return any(len(run.stages) > 2 for run in report.runs)


def _has_row(name: str, present: set[str]) -> bool:
    """Quantiles stand in their mean's row; characters are left to report.json where tokens are known."""
    return not formatting.is_quantile(name) and (
        "_chars" not in name or name.replace("_chars", "_tokens") not in present
    )


def _metric_group(name: str, report: Report) -> list[Row]:
    stages = report.stages()
    counts = sorted({stage.evaluation.metrics[name].n for stage in stages if name in stage.evaluation.metrics})
    title, how = formatting.title(name)
    note = f"{how}, n={'/'.join(map(str, counts))}"
    group = [Row(title, [_value(name, stage, report) for stage in stages], note)]
    for label in ("previous", "base") if _is_chain(report) else ("base",):
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
    """Say what belongs to a value: quantiles to the mean length; counts and sign test to a win rate; an extrapolation."""
    if name in stage.evaluation.extrapolated:
        return "extrapolated"
    if name in LENGTHS:
        base = name.removesuffix("_preference")
        metrics = stage.evaluation.metrics
        quantiles = {
            part: metrics[f"{base}_{part}{'_preference' if name != base else ''}"] for part in ("median", "p90")
        }
        return "\n".join(f"{title} {m.value:g} [{m.low:g}, {m.high:g}]" for title, m in quantiles.items())
    if name not in stage.evaluation.win_tie_loss:
        return ""
    wins, ties, losses = stage.evaluation.win_tie_loss[name]
    found = _win_rate_difference(name, stage, report)
    sign = "" if found is None or found.p_sign is None else f"\nsign test {formatting.p_value(found.p_sign)}"
    return f"W/T/L {wins}/{ties}/{losses}{sign}"


def _difference(name: str, stage: StageRecord, label: str, report: Report) -> Cell:
    if name.startswith("win_rate"):
        # a win rate is a difference to one model already: one row, whichever label comes first
        found = _win_rate_difference(name, stage, report) if label == "base" else None
    else:
        found = _difference_of(name, stage, label, report)
    return Cell(NOTHING) if found is None else Cell(formatting.difference(found), formatting.verdict(found))


def _win_rate_difference(name: str, stage: StageRecord, report: Report) -> Comparison | None:
    role = next((part for part in name.split("_") if part in ("base", "previous")), None)
    return report.find(name, stage, "reference") if role is None else _difference_of(name, stage, role, report)


def _difference_of(name: str, stage: StageRecord, label: str, report: Report) -> Comparison | None:
    """Find a stage's difference to the previous stage or to base; at the first trained stage they are the same one."""
    run = next(run for run in report.runs if stage in run.stages)
    position = run.stages.index(stage)
    if position == 0:
        return None
    return report.find(name, stage, run.stages[position - 1 if label == "previous" else 0].name)


def _evaluated(number: float | None, write: Callable[..., str]) -> Cell:
    return Cell(NOTHING if number is None else write(number))


def _trained(stage: StageRecord, write: Callable[..., str]) -> Cell:
    return Cell(NOTHING if stage.training is None else write(stage.training))


def _outcomes(stage: StageRecord) -> str:
    return (
        NOTHING
        if not stage.evaluation.outcomes
        else ", ".join(f"{count} {outcome}" for outcome, count in stage.evaluation.outcomes.items())
    )


def _wall_clock(seconds: float, sittings: int) -> str:
    return "" if not sittings else formatting.duration(seconds) + (f" in {sittings} sittings" if sittings > 1 else "")
