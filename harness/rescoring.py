"""`stagelift rescore`: read a run's stored responses again with the scorer as it is now, and say
what changed. Needs no model.

Old records stay; new ones lie beside them under their own contract, and the run refers to those
from then on.
"""

import shutil
from pathlib import Path
from typing import Any

from filelock import FileLock

from stagelift.evals.files import (
    read_json,
    read_record,
    read_records,
    write_json,
    write_records,
    write_text,
)
from stagelift.evals.judges import reference
from stagelift.evals.judges.judging import Responses, judge_responses
from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.answers import EXTRACTION
from stagelift.evals.metrics.measures import measure
from stagelift.evals.metrics.scoring import score
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import EvalResult, Generation, Passport, Role, Score, Verdict
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.store import lock_run
from stagelift.reports.words.changes import Change

EXAMPLES = 5
_COPIED = ("generations.jsonl", "pairs.jsonl", "tasks")
_LM_EVALS = ("correct_strict", "correct_flexible", "answer_strict", "answer_flexible")


def rescore(folder: Path) -> list[Change]:
    """Score every stage of a run again and return what changed, stage by stage.

    Raises UsageError where it is no run.
    """
    if not (folder / "run.json").is_file():
        raise UsageError(
            f"{folder} is not a run: it has no run.json. `stagelift runs` lists the runs there are."
        )
    with lock_run(folder):
        record, root = read_json(folder / "run.json"), folder.parent
        record.setdefault(
            "data", record["recipe"]["data"]["path"] if "data" in record["recipe"] else ""
        )
        done: dict[str, Responses] = {}
        changes = []
        for stage, chain in zip(record["stages"], _chains(record["stages"]), strict=True):
            old = root / stage["evaluation"]
            if not (old / "result.json").exists():
                raise UsageError(
                    f"Stage '{stage['name']}' of {folder} is not evaluated yet. `stagelift run` "
                    "goes on with it."
                )
            before = [done[name] for name in chain]
            new, change, done[stage["name"]] = _rescore_stage(
                stage["name"], root / stage["node"], old, before
            )
            stage["evaluation"] = new.relative_to(root).as_posix()
            changes.append(change)
            for repeat in (
                one for one in record.get("repeats", ()) if one["stage"] == stage["name"]
            ):
                again = root / repeat["evaluation"]
                if (again / "result.json").exists():
                    there, _, _ = _rescore_stage(stage["name"], root / stage["node"], again, before)
                    repeat["evaluation"] = there.relative_to(root).as_posix()
        write_json(folder / "run.json", record)
    return changes


def _chains(stages: list[dict[str, Any]]) -> list[list[str]]:
    """Name the stages before each, from base on; of a run that is one chain these are all that are
    listed before.
    """
    chains: dict[str, list[str]] = {}
    last: str | None = None
    for stage in stages:
        parent = stage.get("parent", last)
        last = stage["name"]
        chains[stage["name"]] = [] if parent is None else [*chains[parent], parent]
    return list(chains.values())


def _rescore_stage(
    name: str, node: Path, old: Path, before: list[Responses]
) -> tuple[Path, Change, Responses]:
    """Score one stage; `before` are the stages of its chain up to it, the first of them base."""
    held, result = (
        read_records(old / "scores.jsonl", Score),
        read_record(old / "result.json", EvalResult),
    )
    generations = read_records(old / "generations.jsonl", Generation)
    scores = _scores(generations, held, result.contract)
    contract = {"samples": 1} | result.contract | {"extraction": EXTRACTION}
    verdicts = read_records(old / "verdicts.jsonl", Verdict)
    if str(contract["judge"]).startswith("reference-"):
        contract["judge"] = reference.ID
        verdicts = _judged((scores, generations), before, {verdict.against for verdict in verdicts})
    measured = compute_metrics(scores, verdicts)
    carried = {
        name: metric
        for name, metric in result.metrics.items()
        if measure(name).family in ("preference accuracy", "lm-eval task")
    }
    now = result.model_copy(
        update={
            "contract_id": digest(contract),
            "contract": contract,
            "metrics": measured.metrics | carried,
            "outcomes": measured.outcomes,
            "win_tie_loss": measured.win_tie_loss,
            "extrapolated": measured.extrapolated,
            "passport": _passport(contract, result, verdicts),
        }
    )
    # a repeat stays one
    new = node / "evals" / f"{digest(contract)}{old.name.removeprefix(result.contract_id)}"
    change = _change(name, held, scores, result, now)
    if new == old and change.metrics:
        raise UsageError(
            f"Stage '{name}' is read otherwise now although its contract says it was read the same "
            "way: the code changed without its version (EXTRACTION in evals/metrics/answers.py). "
            "Nothing was stored."
        )
    if not (new / "result.json").exists():
        # as a worker does
        with FileLock(node / ".lock"):
            _write(old, new, scores, verdicts, now)
    return new, change, (scores, generations)


def _scores(
    generations: list[Generation], held: list[Score], contract: dict[str, Any]
) -> list[Score]:
    """Read the responses in the order of the old scores, which hold the questions and targets.

    What lm-eval read itself, elsewhere, stays as it read it.
    """
    by_key = {(one.id, one.sample): one for one in generations}
    missing = next((old.id for old in held if (old.id, old.sample) not in by_key), None)
    if missing is not None:
        raise UsageError(
            f"The response to '{missing}' is missing in generations.jsonl, so it cannot be read "
            "again."
        )
    found = [score(by_key[old.id, old.sample], old.question, old.target) for old in held]
    if contract.get("imported") != "lm-eval":
        return found
    return [
        new.model_copy(update={name: getattr(old, name) for name in _LM_EVALS})
        for old, new in zip(held, found, strict=True)
    ]


def _judged(stage: Responses, before: list[Responses], roles: set[Role]) -> list[Verdict]:
    if not before:
        return []
    others: dict[Role, Responses] = {"base": before[0], "previous": before[-1]}
    wanted: dict[Role, Responses] = {role: other for role, other in others.items() if role in roles}
    return judge_responses(stage, wanted, reference.reference_judge(), ["test"])


def _passport(
    contract: dict[str, Any], result: EvalResult, verdicts: list[Verdict]
) -> Passport | None:
    if not verdicts:
        return result.passport
    held = result.passport
    if held is None:
        return passport(contract["judge"], None, verdicts, None, None)
    return passport(contract["judge"], held.prompt_hash, verdicts, held.gold, held.usage)


def _write(
    old: Path, new: Path, scores: list[Score], verdicts: list[Verdict], result: EvalResult
) -> None:
    """Write the new evaluation beside the old one; it appears in one rename."""
    beside = new.with_name(f"{new.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for name in _COPIED:
        if (old / name).is_dir():
            shutil.copytree(old / name, beside / name)
        elif (old / name).exists():
            shutil.copyfile(old / name, beside / name)
    write_records(beside / "scores.jsonl", scores)
    write_records(beside / "verdicts.jsonl", verdicts)
    write_text(beside / "result.json", result.model_dump_json(indent=2) + "\n")
    # an evaluation that was never finished
    shutil.rmtree(new, ignore_errors=True)
    beside.rename(new)


def _change(
    name: str, held: list[Score], scores: list[Score], old: EvalResult, new: EvalResult
) -> Change:
    pairs = [
        (was, now) for was, now in zip(held, scores, strict=True) if was.correct != now.correct
    ]
    names = [n for n in {**old.metrics, **new.metrics} if old.metrics.get(n) != new.metrics.get(n)]
    examples = [
        f"{now.id}: read {was.answer or 'nothing'} before ({_word(was)}), "
        f"{now.answer or 'nothing'} now ({_word(now)}); target {now.target}"
        for was, now in pairs[:EXAMPLES]
    ]
    return Change(
        name, {n: (old.metrics.get(n), new.metrics.get(n)) for n in names}, len(pairs), examples
    )


def _word(score: Score) -> str:
    return score.outcome or "not scored"
