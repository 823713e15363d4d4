"""The contract: everything that makes two evaluations comparable.

It goes field by field, so that a difference can be named, and its hash names the evaluation.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from stagelift.evals.contract import EACH_ITS_OWN, first_difference, in_words
from stagelift.evals.data.gsm8k import shipped_config
from stagelift.evals.data.instruction_prompts import VERSION as PROMPTS_VERSION
from stagelift.evals.data.own_rows import has_own_clusters, own_fingerprint
from stagelift.evals.data.preferences import preferences_fingerprint
from stagelift.evals.data.problems import groups_in_clusters, problems_fingerprint
from stagelift.evals.data.retained import CHOICES_VERSION, PASSAGES_VERSION
from stagelift.evals.data.source import Source, pinned
from stagelift.evals.judges.load import JudgeSettings, judge_identity, judges_prompts
from stagelift.evals.judges.reward_model import RewardModelJudge
from stagelift.evals.lm_eval.fingerprint import task_fingerprint
from stagelift.evals.lm_eval.gsm8k import FEWSHOT_SEED
from stagelift.evals.lm_eval.verifiers import verifiers_version
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.metrics.looping import LOOPING_VERSION
from stagelift.evals.models.engines.choice import chosen_engine, engine_contract
from stagelift.evals.models.engines.settings import ChosenEngine, TransformersSettings, Undecided
from stagelift.evals.models.model import Device, ModelRef
from stagelift.evals.records import Group
from stagelift.evals.settings import (
    EvaluationSettings,
    OwnTaskSettings,
    PreferenceSettings,
    ProblemSettings,
    RetentionSettings,
)
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.asked_with import asked_with, goes_on
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.revision import model_revision
from stagelift.harness.recipes.sections import OwnTaskSection, Recipe

# what only an evaluation with the retention suite has
RETENTION = (
    "looping",
    "retention_instructions",
    "retention_verifiers",
    "retention_choices",
    "retention_text",
)
# Fields that contracts did not always have, each with the value that means "not used". There it is
# left out, so that evaluations made before the field came keep their contract: a new setting of an
# evaluation is entered here, one of lm-eval's tasks below.
LATER: dict[str, object] = {
    "clusters": None,
    "sampled": 0,
    "scorers": [],
    "own": [],
    "tokenizers": None,
    "given_answers": None,
    "quantization": None,
    **dict.fromkeys(RETENTION),
}
LATER_OF_TASKS: dict[str, object] = {}


def evaluation_settings(recipe: Recipe, device: Device) -> EvaluationSettings:
    """Turn the `evals` section into settings whose sources are pinned to a commit.

    `device` is where models are measured, by which an engine is chosen.
    """
    accuracy, preference = recipe.evals.accuracy, recipe.evals.preference
    problems = accuracy.model_dump(exclude={"data", "scorers"})
    return EvaluationSettings(
        problems=ProblemSettings(
            **problems, scorers=accuracy.scorers, source=pinned(recipe.problem_source())
        ),
        preference=PreferenceSettings(
            judge=_pinned_judge(preference.judge),
            against=preference.against,
            prompts=_pinned(preference.prompts),
            max_tokens=preference.max_tokens,
            gold=_pinned(preference.gold_source()),
        ),
        tasks=recipe.evals.lm_eval_tasks,
        retention=recipe.evals.retention,
        engine=_engine(recipe, device),
        own=[_own_task(task) for task in recipe.evals.own_tasks],
    )


def _engine(recipe: Recipe, device: Device) -> ChosenEngine:
    asked = recipe.evals.engine
    if recipe.model.quantization is not None and isinstance(asked, Undecided):
        # what is evaluated are the 4 bits that were trained on
        return TransformersSettings()
    return chosen_engine(asked, recipe.model.path, device)


def _own_task(task: OwnTaskSection) -> OwnTaskSettings:
    return OwnTaskSettings(
        **task.model_dump(exclude={"data", "scorers"}),
        scorers=task.scorers,
        source=pinned(task.data),
    )


def shared_contract(
    recipes: Mapping[str, Recipe], bases: Mapping[str, ModelRef], asked: Iterable[ModelRef]
) -> dict[str, Any]:
    """Return the contract of all variants, each with the model that it starts from; all models
    that are `asked` are those of its stages.

    Raises UsageError where one would be measured under another.
    """
    shared = _shared_asking(asked)
    (first, recipe), *rest = recipes.items()
    contract = _contract_of(recipe, bases[first]) | shared
    for variant, varied in rest:
        if (varied.model, varied.problem_source()) == (recipe.model, recipe.problem_source()):
            # what is varied has no part in the contract
            continue
        theirs = _contract_of(varied, bases[variant]) | shared
        difference = first_difference(contract, theirs)
        if difference is not None:
            raise UsageError(
                f"Variants '{first}' and '{variant}' could not be compared: {difference.field} is "
                f"{in_words(difference.mine)} in one and {in_words(difference.theirs)} in the "
                "other. Vary what is trained, not how it is measured."
            )
    return without_unused(contract, LATER)


def _shared_asking(asked: Iterable[ModelRef]) -> dict[str, str | None]:
    """Say in which chat template all stages answer, whether their tokenizers are one, and where
    answers that are given stand, if that is not where the template has them.
    """
    models = list(dict.fromkeys(asked))
    ways = [asked_with(ref) for ref in models]
    go_on = any(goes_on(ref) for ref in models)
    templates = {digest(way.template) for way in ways}
    tokenizers = {way.tokenizer for way in ways}
    return {
        "chat_template": templates.pop() if len(templates) == 1 else EACH_ITS_OWN,
        "tokenizers": None if len(tokenizers) == 1 else EACH_ITS_OWN,
        "given_answers": "after what the template opens" if go_on else None,
    }


def _contract_of(recipe: Recipe, model: ModelRef) -> dict[str, Any]:
    try:
        return _contract(evaluation_settings(recipe, model.device), model)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _pinned(source: Source | None) -> Source | None:
    return None if source is None else pinned(source)


def _pinned_judge(judge: JudgeSettings) -> JudgeSettings:
    """Pin a reward model on the Hub to its commit."""
    if not isinstance(judge, RewardModelJudge):
        return judge
    return judge.model_copy(update={"revision": model_revision(judge.path, judge.revision)})


def contract_of(
    settings: EvaluationSettings, model: ModelRef, asked: Iterable[ModelRef]
) -> dict[str, Any]:
    """Return the contract of an evaluation of the models that are `asked`, on top of `model`.

    Raises ValueError, in a sentence, where its data cannot be read.
    """
    return without_unused(_contract(settings, model) | _shared_asking(asked), LATER)


def _contract(settings: EvaluationSettings, model: ModelRef) -> dict[str, Any]:
    tasks = [task.model_dump() | task_fingerprint(task.task) for task in settings.tasks]
    return {
        **_problems_contract(settings.problems),
        **_preference_contract(settings.preference),
        **_retention_contract(settings.retention),
        "tasks": [without_unused(task, LATER_OF_TASKS) for task in tasks],
        "own": [_own_contract(task) for task in settings.own],
        **engine_contract(settings.engine, model),
        "eos_token": model.eos_token,
        "quantization": model.quantization,
    }


def without_unused(contract: Mapping[str, Any], later: Mapping[str, object]) -> dict[str, Any]:
    """Leave out the fields that came later and are not used; `later` has their unused values."""
    return {
        field: value
        for field, value in contract.items()
        if field not in later or value != later[field]
    }


def _own_contract(task: OwnTaskSettings) -> dict[str, Any]:
    """What a task of the user's asks, and what its scorers are, code included."""
    return {
        **task.model_dump(exclude={"source", "temperature", "scorers"}),
        "data": own_fingerprint(task.source),
        "clusters": has_own_clusters(task.source),
        "decoding": _decoding(task.temperature),
        "scorers": [scorer.identity() for scorer in task.scorers],
    }


def _decoding(temperature: float) -> str:
    return f"sampled at temperature {temperature:g}" if temperature else "greedy"


def _of_own_rows(asked: ProblemSettings) -> dict[str, Any]:
    """What the main task asks where it is the user's own."""
    return {
        **asked.model_dump(exclude={"source", "temperature", "validation"}),
        "data": own_fingerprint(asked.source),
        "clusters": "test" if has_own_clusters(asked.source) else None,
        "decoding": _decoding(asked.temperature),
        "extraction": EXTRACTION,
        "scorers": [scorer.identity() for scorer in asked.scorers],
    }


def _problems_contract(asked: ProblemSettings) -> dict[str, Any]:
    if asked.scorers:
        return _of_own_rows(asked)
    config = shipped_config()
    return {
        **asked.model_dump(exclude={"source", "temperature", "validation"}),
        "task_config": f"lm-eval gsm8k {config['metadata']['version']}, {digest(config)}",
        "data": problems_fingerprint(
            asked.source,
            held_out=asked.held_out,
            num_fewshot=asked.num_fewshot,
            validation=asked.validation,
        ),
        "clusters": " ".join(_clustered(asked)) or None,
        "fewshot_seed": FEWSHOT_SEED,
        "decoding": _decoding(asked.temperature),
        "extraction": EXTRACTION,
    }


def _clustered(asked: ProblemSettings) -> list[Group]:
    return groups_in_clusters(asked.source, held_out=asked.held_out, validation=asked.validation)


def _preference_contract(preference: PreferenceSettings) -> dict[str, Any]:
    judge, prompt_hash = judge_identity(preference.judge)
    answered = preference.prompts is not None and judges_prompts(preference.judge)
    return {
        "judge": judge,
        "judge_prompt": prompt_hash,
        "against": list(preference.against),
        "gold": _rows(preference.gold),
        "preference_prompts": _rows(preference.prompts),
        "preference_max_tokens": preference.max_tokens if answered else None,
    }


def _retention_contract(asked: RetentionSettings | None) -> dict[str, Any]:
    """Name what the retention suite asks, part by part, and how loops are told."""
    if asked is None:
        return {}
    parts = {"looping": LOOPING_VERSION}
    if asked.instructions:
        parts["retention_instructions"] = (
            f"{PROMPTS_VERSION}, {asked.instructions} prompts of up to {asked.max_tokens} tokens"
        )
        parts["retention_verifiers"] = verifiers_version()
    if asked.choices:
        parts["retention_choices"] = f"{CHOICES_VERSION}, {asked.choices} questions"
    if asked.passages:
        parts["retention_text"] = f"{PASSAGES_VERSION}, {asked.passages} passages"
    return parts


def _rows(source: Source | None) -> str | None:
    return None if source is None else preferences_fingerprint(source)
