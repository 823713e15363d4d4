"""A recipe turned into nodes. A node's id is the hash of what it is and of its parent, so it is trained once, ever."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import bundled
from evals.engines.transformers import ENGINE
from evals.judges import reference
from evals.model import ModelRef, load_tokenizer
from evals.problems import problems_fingerprint
from evals.source import Source, fingerprint, one_sentence, pinned
from evals.task import FEWSHOT_SEED, shipped_config
from harness.errors import UsageError
from harness.recipe import Recipe, StageSection
from stages import precision
from stages.rewards import reward_fingerprint
from stages.settings import StageSettings

_TRAINING_VERSION = 1  # raise it when the same settings train differently (data format, pairs, rewards)


@dataclass(frozen=True)
class Node:
    """One model in the graph: `base` trains nothing, the others train on top of their parent."""

    name: str
    kind: str
    identity: dict[str, Any]
    parent: "Node | None"
    settings: StageSettings | None

    @property
    def id(self) -> str:
        """Hash of kind, settings, data and ancestors."""
        ancestry = self.parent.id if self.parent else None
        return f"{self.kind}-{_digest({'kind': self.kind, 'identity': self.identity, 'parent': ancestry})}"


@dataclass(frozen=True)
class Plan:
    """The nodes of a run in order, the base model they share, the problems, and the contract of every evaluation."""

    recipe: Recipe
    model: ModelRef
    nodes: list[Node]
    problems: Source
    contract: dict[str, Any]

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two evaluations comparable."""
        return _digest(self.contract)


def make_plan(recipe: Recipe) -> Plan:
    """Turn a recipe whose sources were checked into nodes. Raises UsageError where the model cannot be used."""
    on, dtype = precision.device(), precision.dtype(recipe.model.dtype)
    template, revision = _chat_template(recipe), _model_revision(recipe)
    model = ModelRef(
        path=recipe.model.path,
        revision=revision,
        eos_token=recipe.model.eos_token,
        dtype=dtype,
        device=on,
    )
    base = {
        "model": _model_fingerprint(recipe.model.path, revision),
        "eos_token": model.eos_token,
        "dtype": dtype,
        "device": on,
    }
    nodes = [Node("base", "base", base, None, None)]
    for stage in recipe.stages:
        nodes.append(_node(recipe, stage, nodes))
    problems = pinned(recipe.problem_source())
    return Plan(recipe, model, nodes, problems, _contract(recipe, problems, model, template))


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


def _contract(recipe: Recipe, problems: Source, model: ModelRef, template: str) -> dict[str, Any]:
    accuracy, config = recipe.evals.accuracy, shipped_config()
    return {
        "task": accuracy.task,
        "task_config": f"lm-eval gsm8k {config['metadata']['version']}, {_digest(config)}",
        "data": problems_fingerprint(problems, held_out=accuracy.held_out, num_fewshot=accuracy.num_fewshot),
        "limit": accuracy.limit,
        "held_out": accuracy.held_out,
        "num_fewshot": accuracy.num_fewshot,
        "fewshot_seed": FEWSHOT_SEED,
        "max_tokens": accuracy.max_tokens,
        "decoding": "greedy",
        "batch_size": accuracy.batch_size,
        "engine": ENGINE,
        "dtype": model.dtype,
        "device": model.device,
        "eos_token": model.eos_token,
        "chat_template": _digest(template),
        "judge": reference.ID,
        "against": list(recipe.evals.preference.against),
    }


def _chat_template(recipe: Recipe) -> str:
    model = recipe.model
    try:
        tokenizer = load_tokenizer(model.path, model.revision, model.eos_token)
    except Exception as error:  # tokenizers raise errors of many kinds for one cause
        raise UsageError(f"Cannot read a model at '{model.path}': {one_sentence(error)}") from error
    if not tokenizer.chat_template:
        raise UsageError(
            f"Model '{model.path}' has no chat template, which prompts need. Use an instruct variant, or save one into its "
            "tokenizer (trl.clone_chat_template copies another model's)."
        )
    if model.eos_token is not None and model.eos_token not in tokenizer.get_vocab():
        raise UsageError(f"model.eos_token '{model.eos_token}' is not a token of '{model.path}'.")
    return str(tokenizer.chat_template)


def _model_revision(recipe: Recipe) -> str | None:
    """Pin a Hub model to the commit its branch stands at; local and bundled models have none."""
    path, revision = recipe.model.path, recipe.model.revision
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


def _model_fingerprint(path: str, revision: str | None) -> str:
    """Identify the weights: the bundled file's hash, a local folder's content, or the Hub's commit."""
    if path == bundled.NAME:
        return f"bundled:{bundled.GGUF_SHA256}"
    return _folder_hash(Path(path)) if Path(path).is_dir() else f"hub:{path}@{revision or 'main'}"


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.is_file()):
        with file.open("rb") as handle:
            digest.update(f"{file.name}:{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
