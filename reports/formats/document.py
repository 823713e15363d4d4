"""The report as JSON.

Its names are a promise to later tools (add, never rename), which reports/report.schema.json holds.
"""

import json
from dataclasses import asdict, fields
from typing import Any

from pydantic import BaseModel

from stagelift.evals.printed import json_escaped
from stagelift.evals.votes.voted import Voted
from stagelift.reports.gates.scores import stage_scores
from stagelift.reports.numbers.compare import Comparison
from stagelift.reports.numbers.ranking import Strength
from stagelift.reports.numbers.seeds import Floor
from stagelift.reports.numbers.trajectory import Point, Trajectory
from stagelift.reports.numbers.variants import RankedVariant
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, RunReport, StageFlips
from stagelift.reports.words.illness import signs_of
from stagelift.reports.words.summary import summary

SCHEMA = 1
# of a stage's scores: the rest is said of its run
_SCORES = {"opponent", "answers", "fit", "values", "lengths", "clusters", "tokenizer"}


def render_json(report: Report) -> str:
    """Return the report document as indented JSON, ending in a newline."""
    text = json.dumps(report_document(report), indent=2, ensure_ascii=False, allow_nan=False)
    return f"{json_escaped(text)}\n"


def report_document(report: Report) -> dict[str, Any]:
    """Return the report as plain data; None stands for "not measured"."""
    return {
        "schema": SCHEMA,
        "runs": [_run(run) for run in report.runs],
        "stages": [_stage(stage, run) for run in report.runs for stage in run.stages],
        "comparisons": [_comparison(comparison) for comparison in report.comparisons()],
        "between_runs": [_comparison(comparison) for comparison in report.between],
        "gains": [asdict(gain) for run in report.runs for gain in run.gains],
        "flips": [_flips(flips) for flips in report.flips()],
        "attribution": [asdict(share) for run in report.runs for share in run.attribution],
        "interactions": [asdict(pair) for run in report.runs for pair in run.interactions],
        "variants": [_variant(variant) for run in report.runs for variant in run.variants],
        "seeds": [asdict(over) for run in report.runs for over in run.seeds],
        "noise": [_floor(floor) for run in report.runs for floor in run.floors],
        "summary": summary(report),
        **_trajectories(report),
        **_exports(report),
    }


def _run(run: RunReport) -> dict[str, Any]:
    record = run.record
    return {
        "name": record.name,
        "model": record.model,
        "data": record.data,
        "device": record.device,
        "versions": record.versions,
        "contract_id": record.contract_id,
        "contract": record.contract,
        "wall_clock_seconds": record.wall_clock_seconds,
        "missing_stages": record.missing,
        "chains": [asdict(chain) for chain in record.chains],
        "passport": _plain(run.passport),
        "ranking": [_strength(strength) for strength in run.ranking],
    } | ({"missing_exports": list(record.missing_exports)} if record.missing_exports else {})


def _floor(floor: Floor) -> dict[str, Any]:
    return {**asdict(floor), "floor": floor.of(1), "floor_of_means": floor.of(floor.seeds)}


def _stage(stage: StageRecord, run: RunReport) -> dict[str, Any]:
    evaluation = stage.evaluation
    scores = stage_scores(stage, run.record, run.passport)
    return {
        "run": stage.run,
        "name": stage.name,
        "kind": stage.kind,
        "parent": stage.parent,
        "path": run.record.path(stage),
        "metrics": {name: metric.model_dump() for name, metric in evaluation.metrics.items()},
        "outcomes": dict(evaluation.outcomes),
        "extrapolated": list(evaluation.extrapolated),
        "passport": _plain(evaluation.passport),
        "win_tie_loss": {name: list(counts) for name, counts in evaluation.win_tie_loss.items()},
        "training": _training(stage),
        "evaluation": {
            "seconds": evaluation.seconds,
            "peak_memory_bytes": evaluation.peak_memory_bytes,
        },
        "scores": scores.model_dump(mode="json", include=_SCORES),
        "adapter": stage.adapter,
    } | _votes(stage)


def _exports(report: Report) -> dict[str, Any]:
    """Give what stages are deployed as; nothing where nothing was exported."""
    exports = [
        _stage(export, run) | {"exported": _plain(export.exported)}
        for run in report.runs
        for export in run.record.exports
    ]
    return {"exports": exports} if exports else {}


def _votes(stage: StageRecord) -> dict[str, Any]:
    """Say what people's votes make of each win rate; nothing where nobody voted."""
    if not stage.voted:
        return {}
    return {"votes": [_voted(votes) for votes in stage.voted.values()]}


def _voted(votes: Voted) -> dict[str, Any]:
    found = votes.corrected
    return {
        "win_rate": votes.win_rate,
        "metric": votes.metric,
        "prompts": votes.prompts,
        "equal": votes.equal,
        "judged": votes.judged,
        "voters": votes.voters,
        "is_random": votes.is_random,
        "alone": _plain(votes.alone),
        "value": _plain(votes.value()),
        "slope": None if found is None else found.slope,
        "more_to_halve": None if found is None else found.more_to_halve(),
        "with_judge": _plain(votes.with_judge),
        "agreement": _plain(votes.agreement),
    }


def _training(stage: StageRecord) -> dict[str, Any] | None:
    if stage.training is None:
        return None
    training = stage.training.model_dump(mode="json", exclude={"kind"})
    # those of an earlier record are read off its history
    signs = [sign.model_dump() for sign in signs_of(stage)]
    return training | ({"signs": signs} if signs else {})


def _variant(variant: RankedVariant) -> dict[str, Any]:
    plain = {field.name: getattr(variant, field.name) for field in fields(variant)}
    return plain | {
        "values": {name: metric.model_dump() for name, metric in variant.values.items()},
        "cost": asdict(variant.cost),
        "differences": [asdict(difference) for difference in variant.differences],
    }


def _trajectories(report: Report) -> dict[str, Any]:
    """Give what stages were selected among; nothing where none was."""
    curves = [_trajectory(curve) for run in report.runs for curve in run.trajectories]
    return {"trajectories": curves} if curves else {}


def _trajectory(curve: Trajectory) -> dict[str, Any]:
    plain = {field.name: _plain(getattr(curve, field.name)) for field in fields(curve)}
    return plain | {"points": [_point(point) for point in curve.points]}


def _point(point: Point) -> dict[str, Any]:
    """Give a checkpoint's value, and its difference to the selected one, None of that itself."""
    plain: dict[str, Any] = {"step": point.step, "value": point.value.model_dump()}
    beside = point.beside
    if beside is None:
        return plain | {"to_selected": None}
    names = ("delta", "low", "high", "n", "p", "clusters")
    return plain | {
        "to_selected": {name: getattr(beside.difference, name) for name in names}
        | {"p_adjusted": beside.p_adjusted, "is_apart": beside.is_apart}
    }


def _strength(strength: Strength) -> dict[str, Any]:
    return {
        "stage": strength.stage,
        "against": strength.reference,
        **strength.strength.model_dump(),
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    """Give the difference's numbers beside the verdict.

    Earlier forms had the p of a sign test, too, which contradicted the verdict: it is always None.
    """
    names = ("delta", "low", "high", "n", "p")
    plain = {
        field.name: _plain(getattr(comparison, field.name))
        for field in fields(comparison)
        if field.name != "difference"
    }
    numbers = {name: getattr(comparison, name) for name in names}
    return plain | numbers | {"p_sign": None, "clusters": comparison.difference.clusters}


def _flips(flips: StageFlips) -> dict[str, Any]:
    """Give the counts only: which problems they are is in the records."""
    return {
        "run": flips.run,
        "stage": flips.stage,
        "against": flips.previous,
        "fixed": flips.fixed,
        "broken": flips.broken,
        "still_right": flips.still_right,
        "still_wrong": flips.still_wrong,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value
