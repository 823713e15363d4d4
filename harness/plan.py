"""A recipe turned into nodes. A node's id is the hash of what it is and of its parent, so it is trained once, ever."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import bundled
from evals.answers import EXTRACTION
from evals.engines.transformers import ENGINE
from evals.judges.load import JudgeSettings, judge_identity, judges_prompts
from evals.judges.reward_model import RewardModelJudge
from evals.lm_tasks import task_fingerprint
from evals.model import ModelRef, adapter_hash, load_tokenizer, model_fingerprint
from evals.preferences import preferences_fingerprint
from evals.problems import problems_fingerprint
from evals.settings import EvaluationSettings, PreferenceSettings, ProblemSettings
from evals.source import Source, fingerprint, one_sentence, pinned
from evals.task import FEWSHOT_SEED, shipped_config
from harness.digest import digest
from harness.errors import UsageError
from harness.sections import Recipe, StageSection
from stages import precision
from stages.rewards import reward_fingerprint
from stages.settings import StageSettings

_TRAINING_VERSION = 2  # raise it when the same settings train differently (data format, pairs, rewards)


@dataclass(frozen=True)
class Node:
    """One model in the graph: `base` trains nothing, nor does a `checkpoint`, the others train on top of their parent."""

    name: str
    kind: str
    identity: dict[str, Any]
    parent: "Node | None"
    settings: StageSettings | None
    adapter: str | None = None  # of a checkpoint; a trained stage's lies in its folder

    @property
    def id(self) -> str:
        """Hash of kind, settings, data and ancestors."""
        ancestry = self.parent.id if self.parent else None
        return f"{self.kind}-{digest({'kind': self.kind, 'identity': self.identity, 'parent': ancestry})}"


@dataclass(frozen=True)
class Plan:
    """The nodes of a run in order, the base model they share, and what every evaluation measures under which contract."""

    recipe: Recipe
    model: ModelRef
    nodes: list[Node]
    settings: EvaluationSettings
    contract: dict[str, Any]

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two evaluations comparable."""
        return digest(self.contract)


def make_plan(recipe: Recipe) -> Plan:
    """Turn a recipe whose sources were checked into nodes. Raises UsageError where the model cannot be used."""
    on, dtype = precision.device(), precision.dtype(recipe.model.dtype)
    template = chat_template(recipe.model.path, recipe.model.revision, recipe.model.eos_token)
    revision = model_revision(recipe.model.path, recipe.model.revision)
    model = ModelRef(
        path=recipe.model.path,
        revision=revision,
        eos_token=recipe.model.eos_token,
        dtype=dtype,
        device=on,
    )
    base = {
        "model": model_fingerprint(recipe.model.path, revision),
        "eos_token": model.eos_token,
        "dtype": dtype,
        "device": on,
    }
    nodes = [Node("base", "base", base, None, None)]
    if recipe.checkpoint is not None:
        adapter = {"adapter": adapter_hash(Path(recipe.checkpoint.adapter))}
        nodes.append(Node(recipe.checkpoint.name, "checkpoint", adapter, nodes[0], None, recipe.checkpoint.adapter))
    for stage in recipe.stages:
        nodes.append(_node(recipe, stage, nodes))
    settings = evaluation_settings(recipe)
    return Plan(recipe, model, nodes, settings, _contract(settings, model, template))


def stage_settings(recipe: Recipe, stage: StageSection) -> StageSettings:
    """Fill in what a stage leaves to the recipe (its dataset), and pin a Hub dataset to its commit."""
    dataset = pinned(stage.dataset or recipe.data)
    return StageSettings(kind=stage.kind, dataset=dataset, args=stage.args, rewards=stage.rewards)


def _node(recipe: Recipe, stage: StageSection, before: list[Node]) -> Node:
    settings = stage_settings(recipe, stage)
    identity = settings.model_dump(mode="json", exclude={"dataset": {"path"}}) | {
        "training_version": _TRAINING_VERSION,
        "data": fingerprint(settings.dataset),
        "lora": recipe.lora,
        "seed": recipe.seed,
        "reward_code": [reward_fingerprint(name) for name in settings.rewards],
    }
    repeats = sum(node.kind == stage.kind for node in before)
    name = stage.kind if not repeats else f"{stage.kind}-{repeats + 1}"
    return Node(name, stage.kind, identity, before[-1], settings)


def evaluation_settings(recipe: Recipe) -> EvaluationSettings:
    """Turn the `evals` section into settings whose sources are pinned to a commit."""
    accuracy, preference = recipe.evals.accuracy, recipe.evals.preference
    problems = accuracy.model_dump() | {"source": pinned(recipe.problem_source())}
    prompts, gold = [None if one is None else pinned(one) for one in (preference.prompts, preference.gold_source())]
    return EvaluationSettings(
        problems=ProblemSettings(**problems),
        preference=PreferenceSettings(
            judge=_pinned_judge(preference.judge),
            against=preference.against,
            prompts=prompts,
            max_tokens=preference.max_tokens,
            gold=gold,
        ),
        tasks=recipe.evals.tasks,
    )


def _pinned_judge(judge: JudgeSettings) -> JudgeSettings:
    """Pin a reward model on the Hub to its commit."""
    if not isinstance(judge, RewardModelJudge):
        return judge
    return judge.model_copy(update={"revision": model_revision(judge.path, judge.revision)})


def _contract(settings: EvaluationSettings, model: ModelRef, template: str) -> dict[str, Any]:
    """Everything that makes two evaluations comparable, field by field, so that a difference can be named."""
    return {
        **_problems_contract(settings.problems),
        **_preference_contract(settings.preference),
        "tasks": [task.model_dump() | task_fingerprint(task) for task in settings.tasks],
        "engine": ENGINE,
        "dtype": model.dtype,
        "device": model.device,
        "eos_token": model.eos_token,
        "chat_template": digest(template),
    }


def _problems_contract(asked: ProblemSettings) -> dict[str, Any]:
    config = shipped_config()
    return {
        **asked.model_dump(exclude={"source", "temperature"}),
        "task_config": f"lm-eval gsm8k {config['metadata']['version']}, {digest(config)}",
        "data": problems_fingerprint(asked.source, held_out=asked.held_out, num_fewshot=asked.num_fewshot),
        "fewshot_seed": FEWSHOT_SEED,
        "decoding": f"sampled at temperature {asked.temperature:g}" if asked.temperature else "greedy",
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
    """Return a model's chat template. Raises UsageError where it has none, or cannot be read."""
    try:
        tokenizer = load_tokenizer(path, revision, eos_token)
    except Exception as error:  # tokenizers raise errors of many kinds for one cause
        raise UsageError(f"Cannot read a model at '{path}': {one_sentence(error)}") from error
    if not tokenizer.chat_template:
        raise UsageError(
            f"Model '{path}' has no chat template, which prompts need. Use an instruct variant, or save one into its "
            "tokenizer (trl.clone_chat_template copies another model's)."
        )
    if eos_token is not None and eos_token not in tokenizer.get_vocab():
        raise UsageError(f"model.eos_token '{eos_token}' is not a token of '{path}'.")
    return str(tokenizer.chat_template)


def model_revision(path: str, revision: str | None) -> str | None:
    """Pin a Hub model to the commit its branch stands at; local and bundled models have none. Raises UsageError."""
    if path == bundled.NAME:
        return None
    from huggingface_hub import hf_hub_download
    from transformers import AutoConfig

    try:
        AutoConfig.from_pretrained(path, revision=revision)
        local = Path(path).is_dir()
        commit = None if local else Path(hf_hub_download(path, "config.json", revision=revision)).parent.name
    except Exception as error:  # as above
        raise UsageError(f"Cannot read a model at '{path}': {one_sentence(error)}") from error
    if local and not [*Path(path).glob("*.safetensors"), *Path(path).glob("*.bin")]:
        raise UsageError(f"Cannot read a model at '{path}': there are no weights (*.safetensors) in it.")
    return commit
