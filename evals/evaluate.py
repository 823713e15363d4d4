"""Evaluate one model under one contract: ask it, read what it wrote, have it judged, store it.

A contract is everything that makes two evaluations comparable; results carry it.
"""

import json
import time
from functools import partial
from pathlib import Path

from stagelift.evals.ask import OnProgress, ask
from stagelift.evals.contract import counts_tokens, same_tokenizer
from stagelift.evals.data.instruction_prompts import CAPACITY as INSTRUCTIONS
from stagelift.evals.data.instruction_prompts import instruction_prompts
from stagelift.evals.data.own_rows import OwnProblem, load_own
from stagelift.evals.data.preferences import (
    Preference,
    load_preferences,
    preferences_fingerprint,
    words,
)
from stagelift.evals.data.problems import ProblemSet, load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.folders import EvaluationFolder, JudgesFolder
from stagelift.evals.judges.gold import GOLD_VERSION, gold_agreement
from stagelift.evals.judges.judge import Judge
from stagelift.evals.judges.judging import Responses, judge_responses
from stagelift.evals.judges.load import judges_prompts, load_judge
from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.own_scores import score_own
from stagelift.evals.metrics.preference_accuracy import preference_accuracy
from stagelift.evals.metrics.retention import likelihood_metrics
from stagelift.evals.metrics.scoring import score, score_instructions, with_looping
from stagelift.evals.metrics.suite import compute_metrics, score_responses
from stagelift.evals.models.engines.choice import Opened
from stagelift.evals.models.memory import peak_memory
from stagelift.evals.records import (
    EvalResult,
    Generation,
    GoldAgreement,
    Group,
    Metric,
    Passport,
    Role,
    Score,
    SmallerBatch,
    Verdict,
)
from stagelift.evals.settings import Against, Evaluation, EvaluationSettings
from stagelift.evals.user_code import code_of


def evaluate(job: Evaluation, on_progress: OnProgress) -> EvalResult:
    """Write every record into the job's folder; a killed call goes on where it was."""
    started = time.monotonic()
    folder = EvaluationFolder(Path(job.folder))
    problems = asked_problems(job.settings)
    own = asked_own(job.settings)
    preferences = asked_preferences(job.settings)
    smaller_batch = folder.read_smaller_batch()
    _refuse_other_scorers(job)
    asked = ask(
        job.model,
        _in_parts(job.settings, smaller_batch),
        problems,
        own,
        preferences,
        folder,
        on_progress,
        partial(_refuse_another_engine, job),
        job.repeat,
        counts_tokens=counts_tokens(job.contract),
    )
    generations = folder.read_generations()
    scores = [
        *_scores(generations, problems, preferences),
        *score_own(generations, own, job.settings.own_scorers()),
    ]
    if job.settings.retention is not None:
        scores = _with_retention(scores, generations)
    verdicts, judge_passport = _judge(job, (scores, generations), on_progress)
    measured = compute_metrics(scores, verdicts)
    result = EvalResult(
        contract_id=job.contract_id,
        contract=job.contract,
        metrics=measured.metrics
        | likelihood_metrics(folder.read_choices(), folder.read_passages())
        | _preference_accuracy(job, folder)
        | asked.metrics,
        outcomes=measured.outcomes,
        win_tie_loss=measured.win_tie_loss,
        extrapolated=measured.extrapolated,
        passport=judge_passport,
        seconds=time.monotonic() - started,
        peak_memory_bytes=_peak_memory(job),
        versions=job.versions | asked.server,
        chat_template=job.chat_template,
        tokenizer=job.tokenizer,
        smaller_batch=smaller_batch,
    )
    folder.finish(scores, verdicts, result)
    return result


def _in_parts(
    settings: EvaluationSettings, smaller_batch: SmallerBatch | None
) -> EvaluationSettings:
    """Work on fewer requests at once where memory ran out before. The contract does not say how
    many these are; of lm-eval's tasks it does, and they stay as they are.
    """
    if smaller_batch is None:
        return settings
    fewer = {"batch_size": settings.problems.batch_size // smaller_batch.parts}
    return settings.model_copy(update={"problems": settings.problems.model_copy(update=fewer)})


def _refuse_another_engine(job: Evaluation, opened: Opened) -> None:
    """Raise ValueError where this is not the engine that base was measured with."""
    identity = opened.engine.identity
    if identity != job.contract["engine"]:
        raise ValueError(
            f"The contract's engine is {job.contract['engine']}, and here it is {identity}: run "
            "this evaluation where the versions are those of the machine that conducts."
        )
    versions = None if job.base is None else EvaluationFolder(Path(job.base)).read_result().versions
    for name, version in opened.version.items():
        if versions is not None and name == "vllm" and versions.get(name) != version:
            raise ValueError(
                f"The server is vLLM {version}, and base was measured with {versions.get(name)}: "
                "start that version again, or evaluate all stages anew in another runs folder."
            )


def _refuse_other_scorers(job: Evaluation) -> None:
    """Raise ValueError where the code of a scorer is not what the contract says."""
    asked = [{"scorers": job.contract.get("scorers", [])}, *job.contract.get("own", [])]
    promised = {
        scorer["path"]: scorer["code"]
        for task in asked
        for scorer in task["scorers"]
        if "code" in scorer
    }
    for path, code in promised.items():
        if code_of(path) != code:
            raise ValueError(
                f"The code of scorer '{path}' is not what it was when this run was planned. Put it "
                "back, or start the run again."
            )


def _peak_memory(job: Evaluation) -> int | None:
    """Return the peak memory; None where the model was in other processes, not measured here."""
    if job.settings.engine.kind != "transformers":
        return None
    return peak_memory(job.model.device)[0]


def asked_problems(settings: EvaluationSettings) -> ProblemSet:
    """Load the problems of an evaluation; there are none where the user's own task is asked."""
    asked = settings.problems
    if asked.scorers:
        return ProblemSet(name=asked.task, problems=[], fewshot=[])
    return load_problems(
        asked.task,
        asked.source,
        limit=asked.limit,
        held_out=asked.held_out,
        num_fewshot=asked.num_fewshot,
        validation=asked.validation,
    )


def asked_own(settings: EvaluationSettings) -> list[OwnProblem]:
    """Load the prompts of the user's own tasks, the main one's first."""
    return [
        problem
        for task in settings.own_tasks()
        for problem in load_own(
            task.task,
            task.source,
            "test" if task.task == settings.problems.task else "task",
            task.limit,
        )
    ]


def asked_preferences(settings: EvaluationSettings) -> list[Preference]:
    """Load the preference prompts of an evaluation; empty where it has none."""
    prompts = settings.preference.prompts
    return [] if prompts is None else load_preferences(prompts)


def _scores(
    generations: list[Generation], problems: ProblemSet, preferences: list[Preference]
) -> list[Score]:
    """Read the responses; those to preference prompts have no target to be read against."""
    prompts = {preference.id: words(preference.prompt) for preference in preferences}
    without_target = [
        score(generation, prompts[generation.id], None)
        for generation in generations
        if generation.group == "preference"
    ]
    return score_responses(generations, problems.problems) + without_target


def _with_retention(scores: list[Score], generations: list[Generation]) -> list[Score]:
    """Add the responses to instruction prompts, and which of all loop."""
    responses = {(response.id, response.sample): response.response for response in generations}
    every = [*scores, *_instructions_followed(generations)]
    return [with_looping(read, responses[read.id, read.sample]) for read in every]


def _instructions_followed(generations: list[Generation]) -> list[Score]:
    prompts = {prompt.id: prompt for prompt in instruction_prompts(INSTRUCTIONS)}
    answered = [
        (generation, prompts[generation.id])
        for generation in generations
        if generation.group == "instructions"
    ]
    return [
        score_instructions(
            generation, asked.prompt, json.dumps(asked.instructions, sort_keys=True), asked.kind
        )
        for generation, asked in answered
    ]


def _judge(
    job: Evaluation, responses: Responses, on_progress: OnProgress
) -> tuple[list[Verdict], Passport | None]:
    """Judge against every reference, and say what is known of the judge (its passport).

    Base itself has nobody to be judged against, so it has no passport.
    """
    if not job.references:
        return [], None
    settings = job.settings.preference
    judges = JudgesFolder(Path(job.judges))
    judge = load_judge(settings.judge, judges.answers, job.model.device)
    gold = None if settings.gold is None else _gold(judge, settings.gold, judges)
    opponents: dict[Role, Responses] = {
        against: _responses(EvaluationFolder(Path(folder)))
        for against, folder in job.references.items()
    }
    groups: list[Group] = ["test"]
    if judges_prompts(settings.judge):
        groups.append("preference")
    progress = partial(on_progress, "verdicts")
    verdicts = judge_responses(responses, opponents, judge, groups, progress)
    counted = _once(verdicts, job.references)
    return verdicts, passport(judge.id, judge.prompt_hash, counted, gold, judge.usage())


def _responses(folder: EvaluationFolder) -> Responses:
    return folder.read_scores(), folder.read_generations()


def _once(verdicts: list[Verdict], references: dict[Against, str]) -> list[Verdict]:
    """Where the previous stage is base, leave out the verdicts against it: they are the same."""
    if references.get("base") != references.get("previous"):
        return verdicts
    return [verdict for verdict in verdicts if verdict.against != "previous"]


def _gold(judge: Judge, source: Source, judges: JudgesFolder) -> GoldAgreement | None:
    """Judge the gold pairs, whose better answer is known, once for all stages and runs."""
    identity = [
        judge.id,
        judge.prompt_hash or "",
        GOLD_VERSION,
        EXTRACTION,
        preferences_fingerprint(source),
    ]
    path = judges.gold_agreement(" ".join(identity))
    if path.exists():
        return judges.read_gold(path)
    agreement = gold_agreement(judge, load_preferences(source), f"{source.path}, {source.split}")
    if agreement is not None:
        judges.write_gold(path, agreement)
    return agreement


def _preference_accuracy(job: Evaluation, folder: EvaluationFolder) -> dict[str, Metric]:
    """Compare with base's log-probabilities; base itself is not measured by this.

    Where base has another tokenizer, nats per token are not of the same tokens.
    """
    if job.base is None:
        return {}
    base = EvaluationFolder(Path(job.base))
    of_base = {pair.id: pair for pair in base.read_pairs()}
    per_token = same_tokenizer(job.tokenizer, base.read_result().tokenizer)
    return preference_accuracy(folder.read_pairs(), of_base, per_token=per_token)
