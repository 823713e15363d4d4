"""Stored scores against their responses, which are read again with the scorers that are here now.

A hash says that a file is what was written last, not that it agrees with the rest. Reading again
takes a millisecond or two a response (disagreements.py remembers what came of it). What would run
code of the user's, or was read by another version, is not compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stagelift.evals.folders import EvaluationFolder, StoredEvaluation
from stagelift.evals.hashes import Damage, files_in
from stagelift.evals.lm_eval.verifiers import verifiers_version
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.looping import LOOPING_VERSION
from stagelift.evals.metrics.rereading import LM_EVALS, read_again, task_of
from stagelift.evals.metrics.scorers.known import read_scorer
from stagelift.evals.records import EvalResult, Score
from stagelift.reports.contradictions import contradictions


@dataclass(frozen=True)
class Readings:
    """What records of an evaluation say otherwise than its responses, and what of them could not be
    compared, as clauses.
    """

    damages: tuple[Damage, ...]
    not_compared: tuple[str, ...]


def readings(stored: StoredEvaluation) -> Readings:
    """Compare every record with the others, and scores with what is read now."""
    contract = stored.result.contract
    reason = _read_by_others(contract)
    if reason is not None and "extraction" not in contract:
        # what was read by earlier code need not agree with what is said now
        return Readings((), (reason,))
    told = tuple(_told_otherwise(stored))
    if told or reason is not None:
        return Readings(told, () if reason is None else (reason,))
    left_out = dict(_left_out(stored.result))
    return Readings(tuple(_read_otherwise(stored, left_out)), tuple(left_out.values()))


def _told_otherwise(stored: StoredEvaluation) -> Iterator[Damage]:
    for problem in contradictions(stored):
        yield Damage(_first_named(problem, stored.files), f"contradicts the rest: {problem}")


def _first_named(problem: str, files: EvaluationFolder) -> Path:
    """Return the file that a clause names first, which is what is made again."""
    places = {file: problem.find(file.name) for file in files_in(files.path)}
    named = {file: place for file, place in places.items() if place >= 0}
    return min(named, key=lambda file: named[file], default=files.result)


def _read_by_others(contract: Mapping[str, Any]) -> str | None:
    """Say why stored responses cannot be compared with how they were read; None where they can."""
    today = {
        "extraction": EXTRACTION,
        "looping": LOOPING_VERSION,
        "retention_verifiers": verifiers_version(),
    }
    if "extraction" not in contract:
        return "an earlier stagelift read the responses; stagelift rescore reads them again"
    for field, current in today.items():
        if contract.get(field, current) != current:
            return f"{field} {contract[field]} read the responses, and {current} is here now"
    return None


def _left_out(result: EvalResult) -> Iterator[tuple[str | None, str]]:
    """Yield the tasks whose responses are not read again, the main one as None, and why."""
    contract = result.contract
    for task in (contract, *contract.get("own", [])):
        of = f" of task '{task['task']}'" if "task" in task else ""
        for scorer in task.get("scorers") or []:
            why = _why_left_out(scorer, result.versions)
            if why is not None:
                name = None if task is contract else task["task"]
                yield name, f"responses{of} are not read again: {why}"
                break


def _why_left_out(scorer: Mapping[str, Any], versions: Mapping[str, str]) -> str | None:
    if "code" in scorer:
        return "a scorer of your own read the responses, and no code is run here"
    if scorer["kind"] == "math" and versions.get("math_verify") != version("math_verify"):
        return f"math-verify {versions.get('math_verify', 'of a version not recorded')} read them"
    settings = {name: value for name, value in scorer.items() if name != "version"}
    try:
        known = read_scorer(settings)
    except ValueError:
        return f"there is no scorer '{scorer['kind']}' now"
    if known.version != scorer.get("version", known.version):
        return f"version {scorer['version']} of scorer '{known.called}' read them"
    return None


def _read_otherwise(
    stored: StoredEvaluation, left_out: Mapping[str | None, str]
) -> Iterator[Damage]:
    """Yield where responses read again are not what their scores say."""
    held = [one for one in stored.scores if one.row is None or task_of(one) not in left_out]
    try:
        again = read_again(stored.generations, held, _without(stored.result.contract, left_out))
    except ValueError as error:
        yield Damage(stored.files.generations, f"cannot be read again: {error}")
        return
    keeps_lm_evals = stored.result.versions.get("lm_eval", version("lm_eval")) != version("lm_eval")
    pairs = list(zip(held, again, strict=True))
    differing = [was.id for was, now in pairs if not _same(was, now, keeps_lm_evals)]
    if differing:
        yield Damage(
            stored.files.scores,
            f"says otherwise than {len(differing)} responses read again, '{differing[0]}' first",
        )


def _without(contract: Mapping[str, Any], left_out: Mapping[str | None, str]) -> dict[str, Any]:
    """Return a contract without the scorers of tasks that are left out."""
    own = [task for task in contract.get("own", []) if task["task"] not in left_out]
    kept = {**contract, "own": own}
    return kept if None not in left_out else {**kept, "scorers": []}


def _same(was: Score, now: Score, keeps_lm_evals: bool) -> bool:
    """Compare two readings, but for what another version of lm-eval or a slow machine decides."""
    if any(_out_of_time(one) for one in (was, now)):
        return True
    if keeps_lm_evals:
        now = now.model_copy(update={name: getattr(was, name) for name in LM_EVALS})
    return was == now


def _out_of_time(score: Score) -> bool:
    return any((one.failure or "").startswith("TimeoutError") for one in score.scored.values())
