"""Everything that can be known to fail before a model is loaded or a file is written."""

import re
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from stagelift.evals.data.answers import answer_text
from stagelift.evals.data.own_rows import load_own
from stagelift.evals.data.preferences import check_preferences
from stagelift.evals.data.problems import load_problems
from stagelift.evals.data.source import (
    Source,
    UnreachableError,
    column_names,
    fingerprint,
    local_file,
    local_rows,
)
from stagelift.evals.judges.load import check_judge, check_judge_answers
from stagelift.evals.lm_eval.extras import check_extras
from stagelift.evals.lm_eval.fingerprint import task_fingerprint
from stagelift.evals.metrics.answers.reading import read_target
from stagelift.evals.metrics.scorers.function import Function
from stagelift.evals.metrics.scorers.known import check_rows
from stagelift.evals.metrics.scorers.scorer import Scorer
from stagelift.evals.models import pretrained
from stagelift.evals.models.engines.choice import check_engine_server, check_engine_settings
from stagelift.evals.models.engines.settings import ServerSettings, TransformersSettings, Undecided
from stagelift.evals.models.engines.vllm import check_adapter_settings
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.model_checks import check_models, with_candidates
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.plan import stage_launcher, stage_lora, stage_settings
from stagelift.harness.recipes.gated import check_gates
from stagelift.harness.recipes.sections import Recipe, StageSection
from stagelift.harness.validation import check_validation
from stagelift.harness.workers.launcher import read_launcher
from stagelift.stages.kinds import kind_named
from stagelift.stages.lora_settings import as_stored, check_beside_reference, check_lora
from stagelift.stages.optimizers import check_optimizer
from stagelift.stages.report_to import read_report_to
from stagelift.stages.rewards import check_rewards, load_rewards, scorer_of
from stagelift.stages.rows.own import learns_from_scorers
from stagelift.stages.rows.problems import check_answers, check_pairs
from stagelift.stages.rows.training import check_training_source
from stagelift.stages.settings import StageSettings, config_on_paper


def check_sources(recipe: Recipe) -> None:
    """Check model path, datasets, columns and rewards. Raises UsageError."""
    unreachable = unreachable_sources(recipe)
    if unreachable:
        raise UsageError(unreachable[0])


def unreachable_sources(recipe: Recipe) -> list[str]:
    """Check the same, but return a sentence for each Hub dataset that cannot be reached.

    Raises UsageError for the rest.
    """
    check_gates(recipe)
    try:
        check_models(recipe)
    except ValueError as error:
        raise UsageError(str(error)) from error
    of_stages = [partial(_check_stage, recipe, stage) for stage in recipe.trainings()]
    of_evals = [
        partial(check, recipe) for check in (_check_problems, _check_own_tasks, _check_preference)
    ]
    unreachable = []
    of_others = [partial(check, recipe) for check in (_check_engine, check_validation)]
    for check in [*of_stages, *of_evals, *of_others]:
        try:
            check()
        except UnreachableError as error:
            unreachable.append(str(error))
        except ValueError as error:
            raise UsageError(str(error)) from error
    return unreachable


def try_code(recipe: Recipe) -> None:
    """Import the code that a recipe names, and try it on some rows. Raises UsageError."""
    try:
        for stage in recipe.trainings():
            settings = stage_settings(recipe, stage)
            load_rewards(settings.rewards)
            if _functions([scorer_of(reward) for reward in settings.rewards]):
                check_training_source(settings.kind, settings.dataset, settings.rewards)
        own = [task.scorers for task in recipe.evals.own_tasks]
        if _functions([*recipe.evals.accuracy.scorers, *(one for each in own for one in each)]):
            _check_own_tasks(recipe)
        for task in recipe.evals.lm_eval_tasks:
            if task.task.endswith(".yaml"):
                check_extras(task.task)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _functions(scorers: Sequence[Scorer | None]) -> bool:
    return any(isinstance(scorer, Function) for scorer in scorers)


def check_arguments(recipe: Recipe) -> None:
    """Check every TRL and LoRA argument by building the configs. Raises UsageError."""
    try:
        check_lora(recipe.lora)
        for stage in recipe.trainings():
            kind, lora = kind_named(stage.kind), stage_lora(recipe, stage)
            check_lora(lora)
            launcher = stage_launcher(recipe, stage)
            processes = 1 if launcher is None else read_launcher(launcher).processes
            config = config_on_paper(kind, stage.args, processes)
            if kind.has_reference(config):
                check_beside_reference(stage.kind, lora)
            there = find_spec("bitsandbytes") is not None
            check_optimizer(stage.kind, stage.args, installed=there)
    except ValueError as error:
        raise UsageError(str(error)) from error


def check_trackers(recipe: Recipe) -> None:
    """Check that the trackers which the recipe names are there. Raises UsageError."""
    stages = [
        (f"stage '{stage.kind}'", stage.args.get("report_to")) for stage in recipe.trainings()
    ]
    for where, written in [("the recipe", recipe.report_to), *stages]:
        try:
            read_report_to(written)
        except ValueError as error:
            raise UsageError(f"In {where}, {error}") from error


def check_servers(plan: Plan) -> None:
    """Ask the servers of a plan for a word each: the judge's, and the engine's.

    The plan's engine is no longer `auto`, so that it shows now what it cannot serve. Raises
    ValueError or UsageError in a sentence.
    """
    _check_served(plan)
    check_judge_answers(plan.settings.preference.judge)
    adapters = any(node.on is not None for node in plan.nodes)
    try:
        check_engine_server(plan.settings.engine, plan.model, adapters=adapters)
    except ConnectionError as error:
        raise UsageError(str(error)) from error


def _check_served(plan: Plan) -> None:
    engine = plan.settings.engine
    if isinstance(engine, TransformersSettings):
        return
    for node in with_candidates(plan):
        if node.on is not None and node.exported is None:
            check_adapter_settings(engine.kind, _settings_of_adapter(node))
        if isinstance(engine, ServerSettings):
            _check_server_can_be(node)


def _check_server_can_be(node: Node) -> None:
    """A server is one model, with adapters on it."""
    trouble = None
    if node.weights is not node.root:
        trouble = f"the weights of {node.weights.name}"
    elif node.merged:
        trouble = f"the adapter of {node.merged[-1].name} merged into the weights"
    elif node.base != node.root.base:
        trouble = "a tokenizer or chat template of its own"
    if trouble is not None:
        raise UsageError(
            f"evals.engine.server serves one model and adapters on it, and stage '{node.name}' has "
            f"{trouble}. Set evals.engine to transformers or vllm."
        )


def _settings_of_adapter(node: Node) -> dict[str, Any]:
    if node.adapter is None:
        return as_stored(node.lora)
    settings: dict[str, Any] = pretrained.adapter_config(node.adapter).to_dict()
    return settings


def _check_preference(recipe: Recipe) -> None:
    """Check judge, prompts, gold pairs and lm-eval tasks.

    What is for testing must not be trained on.
    """
    preference = recipe.evals.preference
    check_judge(preference.judge)
    for source, pairs in ((preference.prompts, False), (preference.gold_source(), True)):
        if source is not None:
            check_preferences(source, pairs=pairs)
            check_pairs(source)
            _check_not_trained_on(recipe, source)
    for task in recipe.evals.lm_eval_tasks:
        task_fingerprint(task.task)
        check_extras(task.task)


def _check_engine(recipe: Recipe) -> None:
    """Check that the engine is there and can serve the recipe's adapters. Asks no server."""
    _check_engine_quantises(recipe)
    loras = [as_stored(stage_lora(recipe, stage)) for stage in recipe.trainings()]
    check_engine_settings(recipe.evals.engine, loras)


def _check_engine_quantises(recipe: Recipe) -> None:
    """Refuse an engine that would read the weights by itself, and not into these 4 bits."""
    asked, engine = recipe.model.quantization, recipe.evals.engine
    if asked is None or isinstance(engine, TransformersSettings | Undecided):
        return
    raise ValueError(
        f"model.quantization is {asked}, and evals.engine {engine.kind} reads the weights by "
        "itself, so that other weights would be measured than are trained on. Set evals.engine to "
        "transformers, or leave model.quantization out."
    )


def _check_not_trained_on(recipe: Recipe, held_out: Source) -> None:
    for stage in recipe.trainings():
        rows = stage_settings(recipe, stage).dataset
        if fingerprint(rows) == fingerprint(held_out):
            raise ValueError(
                f"Stage '{stage.kind}' would train on split '{rows.split}' of '{rows.path}', which "
                "evals.preference measures with. Name a held-out split there."
            )


def _check_stage(recipe: Recipe, stage: StageSection) -> None:
    settings = stage_settings(recipe, stage)
    check_rewards(settings.rewards, settings.args)
    check_training_source(settings.kind, settings.dataset, settings.rewards)
    _check_not_the_test_set(recipe, settings)
    check_answers(settings)
    needs_answers = any(reward in ("correctness", "brevity") for reward in settings.rewards)
    if learns_from_scorers(settings.rewards):
        needs_answers = False
    if needs_answers and "answer" not in column_names(settings.dataset):
        raise ValueError(
            "Rewards correctness and brevity need a column 'answer', which dataset "
            f"'{settings.dataset.path}' lacks; `columns` in the recipe can rename one."
        )


def _check_not_the_test_set(recipe: Recipe, settings: StageSettings) -> None:
    """Refuse to train on a file that the evaluation asks, under whatever name."""
    tests = recipe.own_sources()
    if recipe.evals.accuracy.task != "mine":
        tests.append(recipe.problem_source().model_copy(update={"split": "test"}))
    for test in tests:
        if (
            local_file(settings.dataset)
            and local_file(test)
            and fingerprint(settings.dataset) == fingerprint(test)
        ):
            raise ValueError(
                f"Stage '{settings.kind}' would train on '{settings.dataset.path}', which is what "
                "the evaluation asks. Give data.path a folder with train.jsonl and test.jsonl."
            )


def _check_own_tasks(recipe: Recipe) -> None:
    """Check the rows and the scorers of the user's own tasks, with each other."""
    accuracy = recipe.evals.accuracy
    asked: list[tuple[str, Source, Sequence[Scorer], int | None]] = [
        (task.task, task.data, task.scorers, task.limit) for task in recipe.evals.own_tasks
    ]
    if accuracy.task == "mine":
        main = recipe.problem_source()
        asked.append((accuracy.task, main, accuracy.scorers, accuracy.limit))
    for task, source, scorers, limit in asked:
        rows = [
            (f"Row {number} of '{source.path}' (task {task})", problem.row)
            for number, problem in enumerate(load_own(task, source, "test", limit), start=1)
        ]
        check_rows(scorers, rows)


def _check_problems(recipe: Recipe) -> None:
    accuracy, source = recipe.evals.accuracy, recipe.problem_source()
    if accuracy.task == "mine":
        return
    _check_problem_columns(recipe)
    test = local_rows(source.model_copy(update={"split": "test"}))
    answers = () if test is None else test["answer"]
    for number, answer in enumerate(answers, start=1):
        if not _is_target(answer):
            raise ValueError(
                f"Row {number} of split 'test' of '{source.path}' has no number as its answer and "
                "no '#### number' at its end, so nothing can be compared with it."
            )
    if test is not None:
        # what is wrong with clusters shows as they are read
        load_problems(accuracy.task, source, limit=accuracy.limit, held_out=0, num_fewshot=0)
    train = local_rows(source) if accuracy.num_fewshot else None
    if train is not None and accuracy.num_fewshot > len(train):
        raise ValueError(
            f"evals.accuracy.num_fewshot is {accuracy.num_fewshot}, but '{source.path}' has "
            f"{len(train)} training rows."
        )


def _is_target(answer: Any) -> bool:
    """Say whether an answer is a number alone, or ends in `#### number`."""
    text = answer_text(answer) or ""
    has_words = re.search(r"[^\W\d_]{2}", text) is not None
    return read_target(text) is not None and ("####" in text or not has_words)


def _check_problem_columns(recipe: Recipe) -> None:
    accuracy, source = recipe.evals.accuracy, recipe.problem_source()
    splits = ["test", "train"] if accuracy.num_fewshot else ["test"]
    for split in splits:
        present = column_names(source.model_copy(update={"split": split}))
        if not {"question", "answer"} <= set(present):
            raise ValueError(
                f"Task {accuracy.task} needs columns question and answer, but split '{split}' of "
                f"'{source.path}' has {', '.join(present)}; data.columns can rename them."
            )
