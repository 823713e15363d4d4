"""An audit of rewards for a terminal, and as data for JSON."""

from collections.abc import Sequence
from typing import Any

from stagelift.harness.audit.audit import Completion, Pays, StageAudit
from stagelift.harness.audit.findings import findings
from stagelift.reports.formats.columns import Columns, print_columns
from stagelift.reports.formats.console import Console, Text


def print_audits(audits: Sequence[StageAudit], console: Console) -> None:
    """Print for each stage what its rewards pay, and what is ill with them."""
    for audit in audits:
        _print_table(audit, console)
        said = findings(audit)
        for sentence in said:
            warning = Text("warning: ", style="bold yellow")
            console.print(warning.append(f"{audit.stage}: {sentence}", style="not bold"))
        if not said:
            console.print(f"{audit.stage}: nothing is wrong with these rewards that was tried.")


def audits_as_data(audits: Sequence[StageAudit]) -> list[dict[str, Any]]:
    """Return the same for JSON; what is no number is null, or what came in its place."""
    return [
        {
            "stage": audit.stage,
            "rows": audit.rows,
            "rewards": [
                {"name": pays.reward, "weight": weight, "seconds_per_completion": pays.seconds}
                for pays, weight in zip(audit.rewards, audit.weights, strict=True)
            ],
            "completions": [
                {
                    "sort": each.sort,
                    "called": each.called,
                    "tokens": each.tokens,
                    "pays": [_datum(pays, each) for pays in audit.rewards],
                    "together": audit.together(each),
                }
                for each in audit.completions
            ],
            "findings": findings(audit),
        }
        for audit in audits
    ]


def _print_table(audit: StageAudit, console: Console) -> None:
    rows = f"{audit.rows} row{'' if audit.rows == 1 else 's'}"
    title = f"What the rewards of {audit.stage} pay for, the mean of {rows}"
    console.print(Text(title, style="bold"), end="\n\n")
    # of a path, the function
    titles = ["completion", "tokens", *(pays.reward.rpartition(".")[2] for pays in audit.rewards)]
    if len(audit.rewards) > 1:
        titles.append("together")
    lines, sort = [], None
    for completion in audit.completions:
        if completion.sort != sort:
            sort = completion.sort
            lines.append([Text(sort, style="bold"), *(Text() for _ in titles[1:])])
        lines.append(list(map(Text, _cells(audit, completion))))
    print_columns(Columns(titles, [lines], numbers=True), console)


def _cells(audit: StageAudit, completion: Completion) -> list[str]:
    paid = [_cell(pays, completion) for pays in audit.rewards]
    cells = [f"  {completion.called}", f"{completion.tokens:,}", *paid]
    if len(audit.rewards) > 1:
        together = audit.together(completion)
        cells.append("–" if together is None else f"{together:.3g}")
    return cells


def _cell(pays: Pays, completion: Completion) -> str:
    datum = _datum(pays, completion)
    if isinstance(datum, float):
        return f"{datum:.3g}"
    return "None" if datum is None else datum


def _datum(pays: Pays, completion: Completion) -> float | str | None:
    mean = pays.mean(completion)
    if mean is not None:
        return mean
    if pays.error is not None and completion not in pays.values:
        return "error"
    return next((each for each in pays.values.get(completion, ()) if each is not None), None)
