"""A forecast for a terminal, with Rich, and as JSON for machines."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from rich.padding import Padding
from rich.table import Table
from rich.tree import Tree

from stagelift.evals.metrics.measures import measure
from stagelift.evals.models.model import model_title
from stagelift.evals.printed import json_escaped
from stagelift.harness.forecast import sensitivity
from stagelift.harness.forecast.estimate import Cost
from stagelift.harness.forecast.forecast import Forecast, Job, NodeForecast
from stagelift.harness.forecast.total import GROUNDS, total_cost
from stagelift.harness.graph.jobs import EVALUATE, EXPORT, REPEAT, TRAIN
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.seen_rows import row_lines
from stagelift.reports.formats.columns import Columns, grid, print_columns
from stagelift.reports.formats.console import Console, Text
from stagelift.reports.words.counting import duration, number_of
from stagelift.reports.words.formatting import size


def print_forecast(forecast: Forecast, console: Console) -> None:
    """Print what remains, the graph, what this many problems can show, and advice."""
    console.print(_header(forecast))
    console.print(Padding(_tree(forecast), (1, 0)))
    if any(job.cost is not None and job.cost.basis == "scaled" for job in forecast.remaining()):
        console.print(Text(_SCALED, style="dim"), end="\n\n")
    if any(job.what == REPEAT for node in forecast.nodes for job in node.jobs):
        console.print(Text(_AGAIN, style="dim"), end="\n\n")
    for line in row_lines(forecast.rows):
        console.print(Text(line))
    if forecast.rows:
        console.print()
    if forecast.sensitivity:
        _print_sensitivity(forecast.sensitivity, console)
        for line in _explained(forecast.sensitivity):
            console.print(Text(line, style="dim"))
        console.print()
    for advice in sorted(forecast.advice, key=lambda advice: advice.level == "note"):
        style = "bold yellow" if advice.level == "warning" else "bold dim"
        level = Text(f"{advice.level}: ", style=style)
        console.print(Text().append_text(level).append(advice.text))


def render_json(forecast: Forecast, audits: list[dict[str, Any]] | None = None) -> str:
    """Write all of it as JSON: seconds, bytes, and differences as shares; audits of rewards, where
    they were made.
    """
    plan, todo = forecast.plan, total_cost([job.cost for job in forecast.remaining()])
    content = {
        "recipe": plan.recipe.name,
        "model": model_title(plan.model.path),
        "dtype": plan.model.dtype,
        "quantization": plan.model.quantization,
        "device": forecast.device,
        "contract_id": plan.contract_id,
        "chains": len(plan.chains),
        "reference": plan.reference,
        "trainings_avoided": forecast.avoided,
        "to_do": {
            "trainings": len(forecast.jobs(TRAIN, done=False)),
            "evaluations": len(_evaluations(forecast)),
            **_exports(forecast),
            **({} if todo is None else _cost(todo)),
        },
        "nodes": [_node(node) for node in forecast.nodes],
        "rows": [{"stages": name, **row.model_dump()} for name, row in forecast.rows],
        "minimum_detectable_effect": [vars(effect) for effect in forecast.sensitivity],
        "advice": [vars(advice) for advice in forecast.advice],
        **({} if audits is None else {"reward_audit": audits}),
    }
    return json_escaped(json.dumps(content, indent=2, ensure_ascii=False)) + "\n"


def _exports(forecast: Forecast) -> dict[str, Any]:
    """Count the exports still to be made, and their bytes on disk; nothing where there are none."""
    exports = forecast.jobs(EXPORT, done=False)
    size = sum(job.disk_bytes or 0 for job in exports)
    return {"exports": len(exports), "disk_bytes": size} if exports else {}


_SCALED = (
    "scaled: training by steps x sequences a step (x completion length where a stage generates), "
    "evaluation by responses x their limit. Not by how long rows are; memory is the most that "
    "those records show."
)


_OF_SEEDS = (
    "how much another seed would change, and so what several seeds can show, is known when they "
    "are trained."
)
_AGAIN = (
    "evaluate again: the same model is asked once more, so that the report knows how much two "
    "evaluations of one model differ."
)


def _bits(plan: Plan) -> str:
    return "" if plan.model.quantization is None else " on weights in 4 bits"


def _header(forecast: Forecast) -> Table:
    plan = forecast.plan
    drawn = grid(2)
    titles = list(dict.fromkeys(model_title(node.base.path) for node in plan.nodes))
    nodes, chains = len(plan.nodes), len(plan.chains)
    lines = [
        ("recipe", plan.recipe.name),
        ("model", f"{', '.join(titles)}, {plan.model.dtype}{_bits(plan)}"),
        ("device", forecast.device),
        (
            "graph",
            f"{number_of(nodes, 'node')} in {number_of(chains, 'chain')}{_avoided(forecast)}",
        ),
        *_reference(plan),
        ("records", _records(forecast)),
        ("to do", _to_do(forecast)),
    ]
    for name, text in lines:
        drawn.add_row(Text(name, style="bold"), Text(text))
    return drawn


def _reference(plan: Plan) -> list[tuple[str, str]]:
    if plan.reference is None:
        return []
    return [("reference", f"{plan.reference}: the differences of the other variants are to it")]


def _records(forecast: Forecast) -> str:
    if not forecast.trainings_known and not forecast.evaluations_known:
        return "no earlier ones of this machine"
    trainings = number_of(forecast.trainings_known, "training")
    evaluations = number_of(forecast.evaluations_known, "evaluation")
    return f"{trainings} and {evaluations} of earlier runs on this machine"


def _avoided(forecast: Forecast) -> str:
    if not forecast.avoided:
        return ""
    distinct = sum(forecast_of.node.settings is not None for forecast_of in forecast.nodes)
    unshared = distinct + forecast.avoided
    return f": {number_of(distinct, 'training')}, not {unshared}, as chains share nodes"


def _to_do(forecast: Forecast) -> str:
    remaining = forecast.remaining()
    if not remaining:
        return "nothing: everything is trained and evaluated"
    trainings = number_of(len(forecast.jobs(TRAIN, done=False)), "training")
    evaluations = number_of(len(_evaluations(forecast)), "evaluation")
    exports = len(forecast.jobs(EXPORT, done=False))
    if exports:
        trainings += f", {number_of(exports, 'export')}"
    return f"{trainings}, {evaluations}; one after the other {_all_of(remaining)}"


def _all_of(jobs: Sequence[Job]) -> str:
    """Say what jobs cost together, and how many of them nothing can be said of."""
    total = total_cost([job.cost for job in jobs])
    if total is None:
        return "how long is not known"
    said = f"{_figures(total)} at most, {GROUNDS[total.basis]}"
    unknown = sum(job.cost is None for job in jobs)
    if unknown:
        said += f", {number_of(unknown, 'job')} left out that cannot be estimated"
    return said


def _evaluations(forecast: Forecast) -> list[Job]:
    return [job for what in (EVALUATE, REPEAT) for job in forecast.jobs(what, done=False)]


def _tree(forecast: Forecast) -> Tree:
    tree = Tree("", hide_root=True, guide_style="dim")
    places: dict[str, Tree] = {}
    for forecast_of in forecast.nodes:
        node = forecast_of.node
        above = tree if node.parent is None else places[node.parent.id]
        places[node.id] = above.add(_label(node, forecast_of.jobs))
    return tree


def _label(node: Node, jobs: Sequence[Job]) -> Text:
    text = Text(node.name, style="bold")
    text.append(f"  {node.id}", style="not bold dim")
    for job in jobs:
        text.append(f"\n  {job.what:<8} ", style="not bold")
        if job.done:
            text.append("done ", style="green")
        else:
            text.append("to do", style="bold yellow")
        said = f"  {_said(job.cost)}{_on_disk(job)}"
        text.append(said, style="not bold dim" if job.done else "not bold")
    return text


def _said(cost: Cost | None) -> str:
    if cost is None:
        return "its data cannot be read here"
    return f"{_figures(cost)}, {cost.source}"


def _on_disk(job: Job) -> str:
    if job.disk_bytes is None:
        return ""
    return f"; {job.disk_bytes / 1e9:.2f} GB on disk"


def _figures(cost: Cost) -> str:
    memory = "" if cost.memory_bytes is None else f", {cost.memory_bytes / 1e9:.1f} GB"
    return f"{_duration(cost)}{memory}"


def _duration(cost: Cost) -> str:
    """Write a time, or from when to when: `2.3 min`, `1.5 to 3.1 min` with a dash, `91 s to 1.8
    min`.
    """
    low, high = duration(cost.low), duration(cost.high)
    if low == high:
        return low
    number, unit = low.split()
    return f"{number}–{high}" if high.endswith(f" {unit}") else f"{low} to {high}"


def _print_sensitivity(effects: Sequence[sensitivity.Sensitivity], console: Console) -> None:
    """Print the points that a difference must have to be shown in four of five runs."""
    title = "Smallest change that the report would likely call shown (80% power), in points"
    console.print(Text(title, style="bold"), end="\n\n")
    titles = (
        "metric",
        "n",
        "clusters",
        "tests",
        "earlier stages",
        f"assumed: {100 * sensitivity.ASSUMED:.0f}% change",
        f"assumed: {100 * sensitivity.MOST:.0f}% change",
    )
    rows = [list(map(Text, _cells(effect))) for effect in effects]
    print_columns(Columns(titles, [rows], numbers=True), console)


def _cells(effect: sensitivity.Sensitivity) -> Sequence[str]:
    return (
        _title(effect),
        f"{effect.n:,}",
        "" if effect.clusters is None else f"{effect.clusters:,}",
        f"{effect.tests:,}",
        _earlier(effect),
        _assumed(effect, effect.assumed),
        _assumed(effect, effect.most),
    )


def _title(effect: sensitivity.Sensitivity) -> str:
    known = measure(effect.metric)
    title = known.title if known.unit == "share" else f"{known.title} ({known.reading})"
    return title if effect.against is None else f"{title}, against {effect.against}"


def _assumed(effect: sensitivity.Sensitivity, amount: float | None) -> str:
    if measure(effect.metric).unit != "share":
        return "no share"
    return "none" if amount is None else size(effect.metric, amount)


def _earlier(effect: sensitivity.Sensitivity) -> str:
    if effect.earlier is None:
        return "none yet"
    low, high = (size(effect.metric, value) for value in effect.earlier)
    reach = low if low == high else f"{low}–{high}"
    return f"{reach} ({number_of(effect.pairs, 'pair')})"


def _explained(effects: Sequence[sensitivity.Sensitivity]) -> Iterator[str]:
    """Say what the columns mean, and of which models they are."""
    compared = "A line is of a stage and the one before it"
    against = next((effect.against for effect in effects if effect.against is not None), None)
    if against is not None:
        compared += f'; "against {against}": of another variant and that one, the reference'
    yield f"{compared}. Both are of one training: {_OF_SEEDS}"
    yield (
        "tests: that many of a report share the 5% (Holm). The numbers are for the case that none "
        "of the others is shown; each that is lets a little less be enough."
    )
    yield (
        "earlier stages: as stages changed that were measured here before, asked the same. "
        "assumed: of so many problems only one of the two models is right, and those of one "
        "cluster are no more alike than others. Where they are more alike, less is shown."
    )
    if any(measure(effect.metric).unit != "share" for effect in effects):
        yield (
            "no share: it is no share of problems, so that nothing can be assumed. What shows is "
            "known when stages were measured."
        )
    if any(effect.most is None and measure(effect.metric).unit == "share" for effect in effects):
        yield "none: not even a change of all problems."


def _node(forecast_of: NodeForecast) -> dict[str, Any]:
    node = forecast_of.node
    return {
        "name": node.name,
        "id": node.id,
        "kind": node.kind,
        "parent": None if node.parent is None else node.parent.id,
        "jobs": [_job(job) for job in forecast_of.jobs],
    }


def _job(job: Job) -> dict[str, Any]:
    known = {} if job.cost is None else {**_cost(job.cost), "records": job.cost.records}
    disk = {} if job.disk_bytes is None else {"disk_bytes": job.disk_bytes}
    return {"what": job.what, "done": job.done, **known, **disk}


def _cost(cost: Cost) -> dict[str, Any]:
    return {
        "seconds": round(cost.seconds, 1),
        "seconds_low": round(cost.low, 1),
        "seconds_high": round(cost.high, 1),
        "peak_memory_bytes": cost.memory_bytes,
        "basis": cost.basis,
    }
