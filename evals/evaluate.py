"""Evaluate one model under one contract: ask it, read what it wrote, have it judged, and store all
of it.
"""

import hashlib
import time
from functools import partial
from pathlib import Path

from stagelift.evals.ask import OnProgress, ask
from stagelift.evals.data.preferences import (
    Preference,
    load_preferences,
    preferences_fingerprint,
    words,
)
from stagelift.evals.data.problems import ProblemSet, load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.files import read_record, read_records, write_records, write_text
from stagelift.evals.judges.gold import GOLD_VERSION, gold_agreement
from stagelift.evals.judges.judge import Judge
from stagelift.evals.judges.judging import Responses, judge_responses
from stagelift.evals.judges.load import judges_prompts, load_judge
from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.answers import EXTRACTION
from stagelift.evals.metrics.preference_accuracy import preference_accuracy
from stagelift.evals.metrics.scoring import score
from stagelift.evals.metrics.suite import compute_metrics, score_responses
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.records import (
    EvalResult,
    Generation,
    GoldAgreement,
    Group,
    Metric,
    PairScore,
    Passport,
    Role,
    Score,
    Verdict,
)
from stagelift.evals.settings import Against, Evaluation, EvaluationSettings


def evaluate(job: Evaluation, on_progress: OnProgress) -> EvalResult:
    """Write every record and, last, result.json into the job's folder; a killed call goes on where
    it was.
    """
    started, folder = time.monotonic(), Path(job.folder)
    problems, preferences = asked_problems(job.settings), asked_preferences(job.settings)
    task_metrics = ask(
        job.model, job.settings, problems, preferences, folder, on_progress, job.repeat
    )
    write_records(folder / "scores.jsonl", _scores(folder, problems, preferences))
    verdicts, judged_by = _judge(job, folder, on_progress)
    write_records(folder / "verdicts.jsonl", verdicts)
    measured = compute_metrics(read_records(folder / "scores.jsonl", Score), verdicts)
    result = EvalResult(
        contract_id=job.contract_id,
        contract=job.contract,
        metrics=measured.metrics | _preference_accuracy(folder, job.base) | task_metrics,
        outcomes=measured.outcomes,
        win_tie_loss=measured.win_tie_loss,
        extrapolated=measured.extrapolated,
        passport=judged_by,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_memory(job.model.device)[0],
        versions=job.versions,
    )
    write_text(folder / "result.json", result.model_dump_json(indent=2) + "\n")
    return result


def read_responses(folder: Path) -> Responses:
    """Read an evaluation's scores and generations."""
    return read_records(folder / "scores.jsonl", Score), read_records(
        folder / "generations.jsonl", Generation
    )


def asked_problems(settings: EvaluationSettings) -> ProblemSet:
    """Load the problems of an evaluation."""
    asked = settings.problems
    return load_problems(
        asked.task,
        asked.source,
        limit=asked.limit,
        held_out=asked.held_out,
        num_fewshot=asked.num_fewshot,
    )


def asked_preferences(settings: EvaluationSettings) -> list[Preference]:
    """Load the preference prompts of an evaluation; empty where it has none."""
    prompts = settings.preference.prompts
    return [] if prompts is None else load_preferences(prompts)


def _scores(folder: Path, problems: ProblemSet, preferences: list[Preference]) -> list[Score]:
    """Read the responses to the problems; those to preference prompts have no target to be read
    against.
    """
    generations = read_records(folder / "generations.jsonl", Generation)
    prompts = {one.id: words(one.prompt) for one in preferences}
    return score_responses(generations, problems.problems) + [
        score(one, prompts[one.id], None) for one in generations if one.group == "preference"
    ]


def _judge(
    job: Evaluation, folder: Path, on_progress: OnProgress
) -> tuple[list[Verdict], Passport | None]:
    """Judge against every reference; base itself has nobody to be judged against, and no
    passport.
    """
    if not job.references:
        return [], None
    settings = job.settings.preference
    judge = load_judge(settings.judge, Path(job.judges, "answers.jsonl"), job.model.device)
    gold = None if settings.gold is None else _gold(judge, settings.gold, Path(job.judges))
    others: dict[Role, Responses] = {
        against: read_responses(Path(reference)) for against, reference in job.references.items()
    }
    groups: list[Group] = ["test", "preference"] if judges_prompts(settings.judge) else ["test"]
    verdicts = judge_responses(
        read_responses(folder), others, judge, groups, partial(on_progress, "verdicts")
    )
    return verdicts, passport(
        judge.id, judge.prompt_hash, _once(verdicts, job.references), gold, judge.usage()
    )


def _once(verdicts: list[Verdict], references: dict[Against, str]) -> list[Verdict]:
    """Leave out the verdicts against the previous stage where that is base: they are the same
    ones.
    """
    if references.get("base") != references.get("previous"):
        return verdicts
    return [verdict for verdict in verdicts if verdict.against != "previous"]


def _gold(judge: Judge, source: Source, judges: Path) -> GoldAgreement | None:
    """Judge the gold pairs once for all stages and runs."""
    name = " ".join(
        [
            judge.id,
            judge.prompt_hash or "",
            GOLD_VERSION,
            EXTRACTION,
            preferences_fingerprint(source),
        ]
    )
    path = judges / f"gold-{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
    if path.exists():
        return read_record(path, GoldAgreement)
    found = gold_agreement(judge, load_preferences(source), f"{source.path}, {source.split}")
    if found is not None:
        write_text(path, found.model_dump_json(indent=2) + "\n")
    return found


def _preference_accuracy(folder: Path, base: str | None) -> dict[str, Metric]:
    """Compare with base's log-probabilities; base itself is not measured by this."""
    if base is None:
        return {}
    of_base = {pair.id: pair for pair in read_records(Path(base, "pairs.jsonl"), PairScore)}
    return preference_accuracy(read_records(folder / "pairs.jsonl", PairScore), of_base)
