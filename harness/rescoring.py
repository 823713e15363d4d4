"""`stagelift rescore`: read a run's stored responses again with the scorer as it is now.

Needs no model, and says what changed. Old records stay; new ones lie beside them under their own
contract, and the run refers to those from then on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.judges import reference
from stagelift.evals.judges.judging import Responses, judge_responses
from stagelift.evals.judges.passport import passport
from stagelift.evals.lm_eval.verifiers import verifiers_version
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.looping import LOOPING_VERSION
from stagelift.evals.metrics.measures import measure
from stagelift.evals.metrics.rereading import read_again
from stagelift.evals.metrics.scorers.in_contract import own_scorers_today
from stagelift.evals.metrics.suite import compute_metrics
from stagelift.evals.records import EvalResult, Passport, Role, Score, Verdict
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.store import lock_run
from stagelift.harness.locks import held, on_standard_error
from stagelift.reports.contradictions import refuse_contradictions
from stagelift.reports.folders import RunFolder
from stagelift.reports.run_file import RunRepeat, RunStage
from stagelift.reports.words.changes import Change
from stagelift.stages.folders import NodeFolder

EXAMPLES = 5


def rescore(
    path: Path, on_event: Callable[[dict[str, Any]], None] = lambda _: None
) -> list[Change]:
    """Score every stage of a run again and return what changed, stage by stage. `on_event` is told
    how far it is.

    Raises ValueError or UsageError where it is no run, or cannot be read again.
    """
    folder = RunFolder(path)
    folder.check_is_run()
    with lock_run(folder):
        run = folder.read()
        again = _Again(folder)
        total = len(run.stages) + len(run.repeats)

        def tell(what: str, done: int) -> None:
            on_event({"event": "rescoring", "what": what, "done": done, "total": total})

        stages: list[RunStage] = []
        repeats: list[RunRepeat] = []
        for stage in run.stages:
            tell(stage.name, len(stages))
            stages.append(again.stage(stage))
        for repeat in run.repeats:
            tell(f"{repeat.stage}, measured again", len(stages) + len(repeats))
            repeats.append(again.repeat(repeat))
        folder.write(run.model_copy(update={"stages": tuple(stages), "repeats": tuple(repeats)}))
    return again.changes


class _Again:
    """A run that is being read again, stage by stage, each after the one it was trained on."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.changes: list[Change] = []
        self.stages: dict[str, RunStage] = {}
        self.responses: dict[str, Responses] = {}

    def stage(self, stage: RunStage) -> RunStage:
        """Read a stage again and return it with where its evaluation lies now."""
        if not self._evaluation(stage.evaluation).is_complete():
            raise UsageError(
                f"Stage '{stage.name}' of {self.folder.path} is not evaluated yet. `stagelift run` "
                "goes on with it."
            )
        self.stages[stage.name] = stage
        rescored = self._rescored(stage, stage.evaluation)
        self.responses[stage.name] = rescored.responses
        self.changes.append(rescored.change)
        return stage.model_copy(update={"evaluation": self._place(rescored)})

    def repeat(self, repeat: RunRepeat) -> RunRepeat:
        """Read a repeated evaluation again, where it is complete."""
        if not self._evaluation(repeat.evaluation).is_complete():
            return repeat
        rescored = self._rescored(self.stages[repeat.stage], repeat.evaluation)
        return repeat.model_copy(update={"evaluation": self._place(rescored)})

    def _rescored(self, stage: RunStage, evaluation: str) -> "_Rescored":
        node = NodeFolder(self.folder.runs.root / stage.node)
        return _rescore_stage(stage.name, node, self._evaluation(evaluation), self._before(stage))

    def _before(self, stage: RunStage) -> list[Responses]:
        """Return the responses of the stages that this one was trained on, base's first."""
        if stage.parent is None:
            return []
        return [*self._before(self.stages[stage.parent]), self.responses[stage.parent]]

    def _evaluation(self, place: str) -> EvaluationFolder:
        return EvaluationFolder(self.folder.runs.root / place)

    def _place(self, rescored: "_Rescored") -> str:
        return self.folder.runs.relative(rescored.folder.path)


@dataclass(frozen=True)
class _Rescored:
    """An evaluation that was read again: where it lies, what changed, and what was read."""

    folder: EvaluationFolder
    change: Change
    responses: Responses


def _rescore_stage(
    name: str, node: NodeFolder, old: EvaluationFolder, before: Sequence[Responses]
) -> _Rescored:
    """Score one stage; `before` are the stages of its chain up to it, the first of them base."""
    stored = old.read_all()
    old_scores, result, generations = stored.scores, stored.result, stored.generations
    if "extraction" in result.contract:
        # what was read by earlier code need not agree with what is said now
        refuse_contradictions(stored)
    scores = read_again(generations, old_scores, result.contract)
    contract = {"samples": 1} | result.contract | {"extraction": EXTRACTION}
    contract |= own_scorers_today(result.contract)
    read_by = {"looping": LOOPING_VERSION, "retention_verifiers": verifiers_version()}
    contract |= {field: version for field, version in read_by.items() if field in contract}
    verdicts = stored.verdicts
    if str(contract["judge"]).startswith("reference-"):
        contract["judge"] = reference.ID
        verdicts = _judged((scores, generations), before, {verdict.against for verdict in verdicts})
    now = _measured_again(result, contract, scores, verdicts)
    new = old.under(now.contract_id)
    change = _change(name, old_scores, scores, result, now)
    if new == old and change.metrics:
        raise UsageError(
            f"Stage '{name}' is read otherwise now although its contract says it was read the same "
            "way: the code changed without its version (EXTRACTION in "
            "evals/metrics/answers/reading.py, or a scorer's), or a scorer of your own gives other "
            "values each time. Nothing was stored."
        )
    if not new.is_complete():
        # as a worker does
        with held(node.lock_file, on_standard_error):
            new.finish_from(old, scores, verdicts, now)
    return _Rescored(new, change, (scores, generations))


def _measured_again(
    result: EvalResult, contract: dict[str, Any], scores: list[Score], verdicts: list[Verdict]
) -> EvalResult:
    """Return a result under its new contract; what is not read from responses is carried over."""
    measured = compute_metrics(scores, verdicts)
    carried = {
        name: metric
        for name, metric in result.metrics.items()
        if measure(name).family in ("preference accuracy", "lm-eval task")
        or measure(name).group in ("choices", "passages")
    }
    return result.model_copy(
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


def _judged(stage: Responses, before: Sequence[Responses], roles: set[Role]) -> list[Verdict]:
    if not before:
        return []
    others: dict[Role, Responses] = {"base": before[0], "previous": before[-1]}
    wanted = {role: other for role, other in others.items() if role in roles}
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


def _change(
    name: str, held: list[Score], scores: list[Score], old: EvalResult, new: EvalResult
) -> Change:
    pairs = [
        (was, now)
        for was, now in zip(held, scores, strict=True)
        if was.correct != now.correct or was.scored != now.scored
    ]
    changed = {
        metric: (old.metrics.get(metric), new.metrics.get(metric))
        for metric in {**old.metrics, **new.metrics}
        if old.metrics.get(metric) != new.metrics.get(metric)
    }
    examples = [
        f"{now.id}: read {was.answer or 'nothing'} before ({_word(was)}), "
        f"{now.answer or 'nothing'} now ({_word(now)}); target {now.target}"
        for was, now in pairs[:EXAMPLES]
    ]
    return Change(name, changed, len(pairs), examples)


def _word(score: Score) -> str:
    return score.outcome or "not scored"
