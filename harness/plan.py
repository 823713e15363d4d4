"""A recipe turned into nodes. A node's id is the hash of what it is and of its parent, so it is trained once, ever."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from evals import bundled
from evals.answers import EXTRACTION
from evals.engines.transformers import ENGINE
from evals.judges.load import JudgeSettings, judge_identity, judges_prompts
from evals.judges.reward_model import RewardModelJudge
from evals.lm_tasks import task_fingerprint
from evals.model import Device, Dtype, ModelRef, adapter_hash, load_tokenizer, model_fingerprint
from evals.preferences import preferences_fingerprint
from evals.problems import problems_fingerprint
from evals.settings import EvaluationSettings, PreferenceSettings, ProblemSettings
from evals.source import Source, fingerprint, one_sentence, pinned
from evals.task import FEWSHOT_SEED, shipped_config
from harness.digest import digest
from harness.errors import UsageError
from harness.sections import LauncherSection, ModelSection, Recipe, StageSection
from harness.study import WantedChain, reference_variant, wanted_chains
from stages import precision
from stages.rewards import reward_fingerprint
from stages.settings import StageSettings

Precise = Callable[[precision.DtypeSetting], tuple[Device, Dtype]]
_TRAINING_VERSION = 2  # raise it when the same settings train differently (data format, pairs, rewards)


@dataclass(frozen=True)
class Node:
    """One model in the graph: `base` trains nothing, nor does a `checkpoint`, the others train on top of their parent.

    `base` is the model without any adapter. `name` is what the run calls it; it is not part of what it is.
    """

    name: str
    kind: str
    identity: dict[str, Any]
    parent: "Node | None"
    base: ModelRef
    settings: StageSettings | None = None
    lora: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    launcher: LauncherSection | None = None
    adapter: str | None = None  # of a checkpoint; a trained stage's lies in its folder

    @cached_property
    def id(self) -> str:
        """Hash of kind, settings, data and ancestors."""
        ancestry = self.parent.id if self.parent else None
        return f"{self.kind}-{digest({'kind': self.kind, 'identity': self.identity, 'parent': ancestry})}"

    @property
    def root(self) -> "Node":
        """The base that all of this was trained on."""
        return self if self.parent is None else self.parent.root

    @property
    def starts_an_adapter(self) -> bool:
        """Say whether training begins with a new adapter: the first one, or one with other LoRA settings than came in."""
        if self.settings is None or self.parent is None:
            return False
        return self.parent.parent is None or self.parent.lora != self.lora

    @property
    def merged(self) -> "list[Node]":
        """The nodes whose adapters are merged into the weights that this node's own adapter is on, first to last."""
        if self.parent is None:
            return []
        below = self.parent.merged
        return [*below, self.parent] if self.starts_an_adapter and self.parent.parent is not None else below


@dataclass(frozen=True)
class Chain:
    """One way through the graph from base on: which node stands in each slot of the chain (`base`, `sft`, `dpo-2`)."""

    variant: str
    seed: int
    slots: tuple[tuple[str, Node], ...]


@dataclass(frozen=True)
class Plan:
    """The nodes of a run, each after its parent, the chains through them, and what every evaluation measures.

    `repeats` are evaluations that are made once more, so that their spread is known. `reference` names the variant that the
    others are compared with.
    """

    recipe: Recipe
    nodes: list[Node]
    chains: list[Chain]
    repeats: list[tuple[Node, int]]
    reference: str | None
    settings: EvaluationSettings
    contract: dict[str, Any]

    @property
    def model(self) -> ModelRef:
        """The model of the recipe; a variant may have another."""
        return self.nodes[0].base

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two evaluations comparable."""
        return digest(self.contract)

    @property
    def is_study(self) -> bool:
        """Say whether there is more than one chain."""
        return len(self.chains) > 1


def make_plan(recipe: Recipe, precise: Precise = precision.resolved) -> Plan:
    """Turn a recipe whose sources were checked into nodes; `precise` tells the device and dtype of the machines that will work.

    Raises UsageError where the model cannot be used.
    """
    wanted = wanted_chains(recipe)
    bases = {section: _base(section, precise) for section in dict.fromkeys(one.recipe.model for one in wanted)}
    found = [_chain(one, bases[one.recipe.model]) for one in wanted]
    chains = _named(found, [one.labels for one in wanted], lattice=recipe.lattice)
    _refuse_equal_chains(chains)
    nodes = list({node.id: node for chain in chains for _, node in chain.slots}.values())
    settings = evaluation_settings(recipe)
    return Plan(
        recipe=recipe,
        nodes=nodes,
        chains=chains,
        repeats=[(max(chains, key=lambda chain: len(chain.slots)).slots[-1][1], 1)] if len(recipe.seeds) > 1 else [],
        reference=reference_variant(recipe),
        settings=settings,
        contract=_one_contract({one.variant: one.recipe for one in wanted}, bases),
    )


def _chain(wanted: WantedChain, base: Node) -> Chain:
    """Turn one chain's stages into nodes, which are called by their slots."""
    recipe, nodes = wanted.recipe, [base]
    if recipe.checkpoint is not None:
        adapter = recipe.checkpoint.adapter
        identity = {"adapter": adapter_hash(Path(adapter))}
        nodes.append(
            Node(recipe.checkpoint.name, "checkpoint", identity, base, base.base, lora=recipe.lora, adapter=adapter)
        )
        if recipe.checkpoint.name in ("base", *wanted.slots):
            raise UsageError(
                f"checkpoint.name is '{recipe.checkpoint.name}', as another stage is called. Choose another."
            )
    for stage, slot in zip(recipe.stages, wanted.slots, strict=True):
        nodes.append(_node(recipe, stage, slot, nodes[-1]))
    return Chain(wanted.variant, recipe.seed, tuple((node.name, node) for node in nodes))


def _base(section: ModelSection, precise: Precise) -> Node:
    on, dtype = precise(section.dtype)
    chat_template(section.path, section.revision, section.eos_token)
    revision = model_revision(section.path, section.revision)
    model = ModelRef(path=section.path, revision=revision, eos_token=section.eos_token, dtype=dtype, device=on)
    identity = {
        "model": model_fingerprint(section.path, revision),
        "eos_token": model.eos_token,
        "dtype": dtype,
        "device": on,
    }
    return Node("base", "base", identity, None, model)


def _named(chains: list[Chain], labels: list[tuple[str, ...]], *, lattice: bool) -> list[Chain]:
    """Call every node by what the chains through it have in common, and by its slot (in a lattice: all slots up to it).

    Where two would be called the same, they get all the labels of the first chain through them.
    """
    through: dict[str, list[tuple[str, ...]]] = {}
    titles: dict[str, str] = {}
    for chain, label in zip(chains, labels, strict=True):
        for place, (slot, node) in enumerate(chain.slots):
            through.setdefault(node.id, []).append(label)
            path = [name for name, _ in chain.slots[1 : place + 1]]
            titles[node.id] = "+".join(path) or slot if lattice else slot
    names: dict[str, str] = {}
    for identifier, seen in through.items():
        common = tuple(part for part in seen[0] if all(part in other for other in seen))
        name = "/".join(filter(None, [",".join(common), titles[identifier]]))
        names[identifier] = name if name not in names.values() else f"{','.join(seen[0])}/{titles[identifier]}"
    return [_renamed(chain, names) for chain in chains]


def _renamed(chain: Chain, names: dict[str, str]) -> Chain:
    renamed: list[tuple[str, Node]] = []
    for slot, node in chain.slots:
        parent = renamed[-1][1] if renamed else None
        renamed.append((slot, replace(node, name=names[node.id], parent=parent)))
    return replace(chain, slots=tuple(renamed))


def _refuse_equal_chains(chains: list[Chain]) -> None:
    """What is the same models would be compared with itself. A chain that trains nothing may come with several seeds."""
    seen: dict[tuple[str, ...], Chain] = {}
    for chain in chains:
        other = seen.setdefault(tuple(node.id for _, node in chain.slots), chain)
        if other.variant != chain.variant:
            raise UsageError(
                f"Variants '{other.variant}' and '{chain.variant}' are the same models: nothing that makes a stage differs."
            )
        if other is not chain and other.seed == chain.seed:
            raise UsageError(
                f"Two subsets of the lattice are the same models, as stages {_slots(other)} and {_slots(chain)} are equal. List "
                "a stage once, or change its settings."
            )


def _slots(chain: Chain) -> str:
    return "+".join(slot for slot, _ in chain.slots[1:])


def _one_contract(recipes: dict[str, Recipe], bases: dict[ModelSection, Node]) -> dict[str, Any]:
    """Return the contract of all variants. Raises UsageError where one would be measured under another."""
    (first, recipe), *others = recipes.items()
    contract = _contract(evaluation_settings(recipe), bases[recipe.model].base)
    for variant, other in others:
        if (other.model, other.problem_source()) == (recipe.model, recipe.problem_source()):
            continue  # what is varied has no part in the contract
        theirs = _contract(evaluation_settings(other), bases[other.model].base)
        different = next((name for name in contract if contract[name] != theirs[name]), None)
        if different is not None:
            raise UsageError(
                f"Variants '{first}' and '{variant}' could not be compared: {different} is {contract[different]!r} in one "
                f"and {theirs[different]!r} in the other. Vary what is trained, not how it is measured."
            )
    return contract


def stage_settings(recipe: Recipe, stage: StageSection) -> StageSettings:
    """Fill in what a stage leaves to the recipe (its dataset), and pin a Hub dataset to its commit."""
    dataset = pinned(stage.dataset or recipe.data)
    return StageSettings(kind=stage.kind, dataset=dataset, args=stage.args, rewards=stage.rewards)


def stage_lora(recipe: Recipe, stage: StageSection) -> dict[str, Any]:
    """LoRA settings of a stage: the recipe's, changed where the stage says so."""
    return {**recipe.lora, **stage.lora}


def stage_launcher(recipe: Recipe, stage: StageSection) -> LauncherSection | None:
    """What starts a stage's training: the stage's own, else the recipe's."""
    return stage.launcher or recipe.launcher


def _node(recipe: Recipe, stage: StageSection, name: str, parent: Node) -> Node:
    settings, lora = stage_settings(recipe, stage), stage_lora(recipe, stage)
    identity = settings.model_dump(mode="json", exclude={"dataset": {"path"}}) | {
        "training_version": _TRAINING_VERSION,
        "data": fingerprint(settings.dataset),
        "lora": lora,
        "seed": recipe.seed,
        "reward_code": [reward_fingerprint(name) for name in settings.rewards],
    }
    launcher = stage_launcher(recipe, stage)
    return Node(name, stage.kind, identity, parent, parent.base, settings, lora, recipe.seed, launcher)


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


def _contract(settings: EvaluationSettings, model: ModelRef) -> dict[str, Any]:
    """Everything that makes two evaluations comparable, field by field, so that a difference can be named."""
    return {
        **_problems_contract(settings.problems),
        **_preference_contract(settings.preference),
        "tasks": [task.model_dump() | task_fingerprint(task) for task in settings.tasks],
        "engine": ENGINE,
        "dtype": model.dtype,
        "device": model.device,
        "eos_token": model.eos_token,
        "chat_template": digest(chat_template(model.path, model.revision, model.eos_token)),
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
