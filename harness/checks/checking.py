"""A check from names: both sides, the margins that count, and the answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stagelift.harness.checks.margins import merged, read_asked
from stagelift.harness.checks.sides import load_baseline, load_candidate
from stagelift.reports.gates.check import Check, check, refuse_ungateable
from stagelift.reports.gates.self_test import Power, self_test


@dataclass(frozen=True)
class Request:
    """What is asked of a check: names of both sides, and what counts beside what the baseline
    declares. `stage` is None for the one that the baseline is of.
    """

    candidate: str
    baseline: str | None
    stage: str | None
    gates: Path | None
    margins: Mapping[str, object]
    runs: Path
    baselines: Path
    allow_missing: int = 0
    across_engines: bool = False


def checked(request: Request) -> Check:
    """Check a candidate against a baseline.

    Raises NotComparableError where there is no answer, UsageError and ValueError for bad input.
    """
    assert request.baseline is not None, "a check has a baseline"
    asked = read_asked(request.gates, request.margins)
    old = load_baseline(request.baseline, request.runs, request.stage, baselines=request.baselines)
    limits = merged(old.margins, asked, old.scores)
    new, notes = load_candidate(request.candidate, request.runs, request.stage, old.scores)
    return check(
        new,
        old.scores,
        limits,
        request.allow_missing,
        (*old.notes, *notes),
        across_engines=request.across_engines,
    )


def self_tested(request: Request) -> list[Power]:
    """Say what the gates would catch. Without a baseline the candidate stands for both sides.

    Raises as `checked` does.
    """
    side = request.baseline or request.candidate
    asked = read_asked(request.gates, request.margins)
    old = load_baseline(side, request.runs, request.stage, baselines=request.baselines)
    limits = merged(old.margins, asked, old.scores)
    refuse_ungateable(limits, old.scores, "baseline")
    if request.baseline is None:
        return self_test(limits, old.scores, None)
    new, _ = load_candidate(request.candidate, request.runs, request.stage, old.scores)
    refuse_ungateable(limits, new, "candidate")
    return self_test(limits, old.scores, new)
