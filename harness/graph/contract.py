"""The contract: everything that makes two evaluations comparable.

It goes field by field, so that a difference can be named, and its hash names the evaluation.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stagelift.evals.contract import first_difference
from stagelift.evals.data.gsm8k import shipped_config
from stagelift.evals.data.own_rows import has_own_clusters, own_fingerprint
from stagelift.evals.data.preferences import preferences_fingerprint
from stagelift.evals.data.problems import groups_in_clusters, problems_fingerprint
from stagelift.evals.data.source import Source, one_sentence, pinned
from stagelift.evals.judges.load import JudgeSettings, judge_identity, judges_prompts
from stagelift.evals.judges.reward_model import RewardModelJudge
from stagelift.evals.lm_eval.fingerprint import task_fingerprint
from stagelift.evals.lm_eval.gsm8k import FEWSHOT_SEED
from stagelift.evals.metrics.answers.reading import EXTRACTION
from stagelift.evals.models import bundled, pretrained
from stagelift.evals.models.engines.choice import chosen_engine, engine_contract
from stagelift.evals.models.model import (
    Device,
    ModelRef,
    load_tokenizer,
    remembered_of_model,
)
from stagelift.evals.settings import (
    EvaluationSettings,
    OwnTaskSettings,
    PreferenceSettings,
    ProblemSettings,
)
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.node import Node
from stagelift.harness.recipes.sections import ModelSection, OwnTaskSection, Recipe

# Fields that contracts did not always have, each with the value that means "not used". There it is
# left out, so that evaluations made before the field came keep their contract: a new setting of an
# evaluation is entered here, one of lm-eval's tasks below.
LATER: dict[str, object] = {"clusters": None, "sampled": 0, "scorers": [], "own": []}
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
        engine=chosen_engine(recipe.evals.engine, recipe.model.path, device),
        own=[_own_task(task) for task in recipe.evals.own_tasks],
    )


def _own_task(task: OwnTaskSection) -> OwnTaskSettings:
    return OwnTaskSettings(
        **task.model_dump(exclude={"data", "scorers"}),
        scorers=task.scorers,
        source=pinned(task.data),
    )


def shared_contract(recipes: dict[str, Recipe], bases: dict[ModelSection, Node]) -> dict[str, Any]:
    """Return the contract of all variants.

    Raises UsageError where one would be measured under another.
    """
    (first, recipe), *rest = recipes.items()
    contract = _contract_of(recipe, bases)
    for variant, varied in rest:
        if (varied.model, varied.problem_source()) == (recipe.model, recipe.problem_source()):
            # what is varied has no part in the contract
            continue
        theirs = _contract_of(varied, bases)
        difference = first_difference(contract, theirs)
        if difference is not None:
            raise UsageError(
                f"Variants '{first}' and '{variant}' could not be compared: {difference.field} is "
                f"{difference.mine!r} in one and {difference.theirs!r} in the other. Vary what "
                "is trained, not how it is measured."
            )
    return contract


def _contract_of(recipe: Recipe, bases: dict[ModelSection, Node]) -> dict[str, Any]:
    model = bases[recipe.model].base
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


def _contract(settings: EvaluationSettings, model: ModelRef) -> dict[str, Any]:
    tasks = [task.model_dump() | task_fingerprint(task.task) for task in settings.tasks]
    contract = {
        **_problems_contract(settings.problems),
        **_preference_contract(settings.preference),
        "tasks": [without_unused(task, LATER_OF_TASKS) for task in tasks],
        "own": [_own_contract(task) for task in settings.own],
        **engine_contract(settings.engine, model),
        "eos_token": model.eos_token,
        "chat_template": digest(chat_template(model.path, model.revision, model.eos_token)),
    }
    return without_unused(contract, LATER)


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
        **asked.model_dump(exclude={"source", "temperature"}),
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
        **asked.model_dump(exclude={"source", "temperature"}),
        "task_config": f"lm-eval gsm8k {config['metadata']['version']}, {digest(config)}",
        "data": problems_fingerprint(
            asked.source, held_out=asked.held_out, num_fewshot=asked.num_fewshot
        ),
        "clusters": " ".join(groups_in_clusters(asked.source, held_out=asked.held_out)) or None,
        "fewshot_seed": FEWSHOT_SEED,
        "decoding": _decoding(asked.temperature),
        "extraction": EXTRACTION,
    }


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


def _rows(source: Source | None) -> str | None:
    return None if source is None else preferences_fingerprint(source)


def chat_template(path: str, revision: str | None, eos_token: str | None) -> str:
    """Return a model's chat template. Raises UsageError where it has none, or cannot be read.

    A tokenizer that could be read before is remembered, which spares importing transformers.
    """
    read = partial(_template_of_tokenizer, path, revision, eos_token)
    return str(remembered_of_model("template", path, revision, eos_token, read))


def _template_of_tokenizer(path: str, revision: str | None, eos_token: str | None) -> str:
    try:
        tokenizer = load_tokenizer(path, revision, eos_token)
    except Exception as error:
        # tokenizers raise errors of many kinds for one cause
        raise UsageError(f"Cannot read a model at '{path}': {one_sentence(error)}") from error
    if not tokenizer.chat_template:
        raise UsageError(
            f"Model '{path}' has no chat template, which prompts need. Use an instruct variant, or "
            "save one into its tokenizer (trl.clone_chat_template copies another model's)."
        )
    if eos_token is not None and eos_token not in tokenizer.get_vocab():
        raise UsageError(f"model.eos_token '{eos_token}' is not a token of '{path}'.")
    return str(tokenizer.chat_template)


def model_revision(path: str, revision: str | None) -> str | None:
    """Pin a Hub model to the commit its branch stands at; local and bundled models have none.

    Raises UsageError.
    """
    if path == bundled.NAME:
        return None
    try:
        read = partial(_read_config, path, revision)
        remembered_of_model("architecture", path, revision, None, read)
        commit = None if Path(path).is_dir() else _hub_commit(path, revision)
    except Exception as error:
        # as above
        raise UsageError(f"Cannot read a model at '{path}': {one_sentence(error)}") from error
    if commit is None and not [*Path(path).glob("*.safetensors"), *Path(path).glob("*.bin")]:
        raise UsageError(
            f"Cannot read a model at '{path}': there are no weights (*.safetensors) in it."
        )
    return commit


def _read_config(path: str, revision: str | None) -> None:
    pretrained.model_config(path, revision)


def _hub_commit(path: str, revision: str | None) -> str:
    """Return the commit that a branch stands at: the cache keeps a folder for each."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(path, "config.json", revision=revision)).parent.name
