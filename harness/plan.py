"""A recipe turned into nodes. A node's id is the hash of what it is and of its parent, so it is trained once, ever."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import bundled
from evals.judges import reference
from evals.model import Dtype, ModelRef, load_tokenizer
from evals.problems import problems_fingerprint
from evals.source import fingerprint
from evals.task import FEWSHOT_SEED, shipped_config
from harness.errors import UsageError
from harness.recipe import Recipe, StageSection
from stages import precision
from stages.rewards import reward_source
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
    """The nodes of a run in order, the base model they share, and the contract they are all evaluated under."""

    recipe: Recipe
    model: ModelRef
    nodes: list[Node]
    contract: dict[str, Any]

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two evaluations comparable."""
        return _digest(self.contract)


def make_plan(recipe: Recipe) -> Plan:
    """Turn a recipe whose sources were checked into nodes. Raises UsageError where the model cannot be used."""
    on, dtype = precision.device(), precision.dtype(recipe.model.dtype)
    model = ModelRef(
        path=recipe.model.path,
        revision=recipe.model.revision,
        eos_token=recipe.model.eos_token,
        dtype=dtype,
        device=on,
    )
    template = _chat_template(recipe)
    base = {"model": _model_fingerprint(recipe), "eos_token": model.eos_token, "dtype": dtype, "device": on}
    nodes = [Node("base", "base", base, None, None)]
    for stage in recipe.stages:
        nodes.append(_node(recipe, stage, nodes))
    return Plan(recipe, model, nodes, _contract(recipe, dtype, on, template))


def stage_settings(recipe: Recipe, stage: StageSection) -> StageSettings:
    """Fill in what a stage leaves to the recipe: its dataset."""
    dataset = stage.dataset or recipe.data
    return StageSettings(kind=stage.kind, dataset=dataset, args=stage.args, rewards=stage.rewards)


def _node(recipe: Recipe, stage: StageSection, before: list[Node]) -> Node:
    settings = stage_settings(recipe, stage)
    identity = settings.model_dump(mode="json", exclude={"dataset": {"path"}}) | {
        "training_version": _TRAINING_VERSION,
        "data": fingerprint(settings.dataset),
        "lora": recipe.lora,
        "seed": recipe.seed,
        "reward_source": [hashlib.sha256(reward_source(name).encode()).hexdigest() for name in settings.rewards],
    }
    repeats = sum(node.kind == stage.kind for node in before)
    name = stage.kind if not repeats else f"{stage.kind}-{repeats + 1}"
    return Node(name, stage.kind, identity, before[-1], settings)


def _contract(recipe: Recipe, dtype: Dtype, on: str, template: str) -> dict[str, Any]:
    accuracy, config = recipe.evals.accuracy, shipped_config()
    return {
        "task": accuracy.task,
        "task_config": f"lm-eval gsm8k {config['metadata']['version']}, {_digest(config)}",
        "data": problems_fingerprint(
            recipe.problem_source(), held_out=accuracy.held_out, num_fewshot=accuracy.num_fewshot
        ),
        "limit": accuracy.limit,
        "held_out": accuracy.held_out,
        "num_fewshot": accuracy.num_fewshot,
        "fewshot_seed": FEWSHOT_SEED,
        "max_tokens": accuracy.max_tokens,
        "decoding": "greedy",
        "batch_size": accuracy.batch_size,
        "engine": "transformers",
        "dtype": dtype,
        "device": on,
        "chat_template": _digest(template),
        "judge": reference.ID,
        "against": list(recipe.evals.preference.against),
    }


def _chat_template(recipe: Recipe) -> str:
    model = recipe.model
    try:
        tokenizer = load_tokenizer(model.path, model.revision, model.eos_token)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"Cannot read a model at '{model.path}': {_one_line(error)}") from error
    if not tokenizer.chat_template:
        raise UsageError(
            f"Model '{model.path}' has no chat template, which prompts need. Use an instruct variant, or save one into its "
            "tokenizer (trl.clone_chat_template copies another model's)."
        )
    if model.eos_token is not None and model.eos_token not in tokenizer.get_vocab():
        raise UsageError(f"model.eos_token '{model.eos_token}' is not a token of '{model.path}'.")
    return str(tokenizer.chat_template)


def _model_fingerprint(recipe: Recipe) -> str:
    """Identify the weights: the bundled file's hash, a local folder's content, or the Hub's commit."""
    path, revision = recipe.model.path, recipe.model.revision
    if path == bundled.NAME:
        return f"bundled:{bundled.GGUF_SHA256}"
    if Path(path).is_dir():
        return _folder_hash(Path(path))
    from transformers import AutoConfig

    return f"hub:{path}@{AutoConfig.from_pretrained(path, revision=revision)._commit_hash or revision}"


def _folder_hash(folder: Path) -> str:
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.is_file()):
        with file.open("rb") as handle:
            digest.update(f"{file.name}:{hashlib.file_digest(handle, 'sha256').hexdigest()}\n".encode())
    return f"sha256:{digest.hexdigest()}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return f"{text}."
