"""A recipe turned into nodes.

A node is one model in the graph. Its id is the hash of what it is and of its parent, so it is
trained once, ever.
"""

from dataclasses import replace
from functools import cache, partial
from typing import Any

from stagelift.evals.data.source import fingerprint, pinned
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.checkpoints import base_node, checkpoint_node
from stagelift.harness.graph.contract import evaluation_settings, shared_contract
from stagelift.harness.graph.exports import export_nodes
from stagelift.harness.graph.names import model_names
from stagelift.harness.graph.node import Chain, Node, Plan, Precise
from stagelift.harness.graph.rows import rows_identity
from stagelift.harness.graph.trajectories import trajectory_node
from stagelift.harness.graph.validation import selects
from stagelift.harness.recipes.sections import (
    CheckpointSection,
    LauncherSection,
    Recipe,
    StageSection,
)
from stagelift.harness.recipes.study import WantedChain, reference_variant, wanted_chains
from stagelift.stages import precision
from stagelift.stages.arguments import arguments_that_train
from stagelift.stages.rewards import reward_fingerprint
from stagelift.stages.rows.problems import pairs_identity
from stagelift.stages.settings import StageSettings

# raise it when the same settings train differently (data format, pairs, rewards)
_TRAINING_VERSION = 2


def make_plan(recipe: Recipe, precise: Precise = precision.resolved) -> Plan:
    """Turn a recipe whose sources were checked into nodes.

    `precise` tells the device and dtype of the machines that will work. Raises UsageError where the
    model cannot be used.
    """
    wanted = wanted_chains(recipe)
    base = cache(partial(base_node, precise=precise))
    unnamed = [
        _chain(chain, base(chain.recipe.model, chain.recipe.template), recipe) for chain in wanted
    ]
    chains = _named(unnamed, [chain.labels for chain in wanted], lattice=recipe.lattice)
    _refuse_equal_chains(chains)
    return Plan(
        recipe=recipe,
        nodes=list({node.id: node for chain in chains for node in chain.nodes()}.values()),
        chains=chains,
        repeats=_repeats(recipe, chains),
        reference=reference_variant(recipe),
        settings=evaluation_settings(recipe, chains[0].slots[0][1].base.device),
        contract=shared_contract(
            {chain.variant: chain.recipe for chain in wanted},
            {chain.variant: chain.slots[0][1].base for chain in chains},
            [node.base for chain in chains for _, node in chain.slots],
        ),
    )


def _repeats(recipe: Recipe, chains: list[Chain]) -> list[tuple[Node, int]]:
    """With several seeds, measure the last stage of the first longest chain once more."""
    if len(recipe.seeds) < 2:
        return []
    longest = max(chains, key=lambda chain: len(chain.slots))
    _, last = longest.slots[-1]
    return [(last, 1)]


def _chain(wanted: WantedChain, base: Node, whole: Recipe) -> Chain:
    """Turn one chain's stages, of all that the `whole` recipe asks for, into nodes, which are
    called by their slots.
    """
    recipe, nodes = wanted.recipe, [base]
    for stage, slot in zip(recipe.stages, wanted.slots, strict=True):
        if isinstance(stage, CheckpointSection) and stage.checkpoints is not None:
            nodes.append(trajectory_node(recipe, stage, stage.checkpoints, slot, nodes))
        elif isinstance(stage, CheckpointSection):
            nodes.append(checkpoint_node(recipe, stage, slot, nodes))
        else:
            nodes.append(_node(recipe, stage, slot, nodes[-1]))
    exports = _exports(recipe, nodes) if recipe.stages or not whole.chain() else ()
    slots = tuple((node.name, node) for node in nodes)
    return Chain(wanted.variant, recipe.seed, slots, exports)


def _exports(recipe: Recipe, nodes: list[Node]) -> tuple[Node, ...]:
    """Return what stages are deployed as: those that say so, and the last one, for the recipe."""
    own = [[], *(stage.export for stage in recipe.stages)]
    own[-1] = own[-1] or recipe.export
    pairs = zip(nodes, own, strict=True)
    return tuple(export for node, wanted in pairs for export in export_nodes(node, wanted))


def _named(chains: list[Chain], labels: list[tuple[str, ...]], *, lattice: bool) -> list[Chain]:
    """Call every node by its slot and by what the chains through it have in common."""
    slots = [[(slot, node.id) for slot, node in chain.slots] for chain in chains]
    names = model_names(slots, labels, lattice=lattice)
    renamed = [_renamed(chain, names) for chain in chains]
    for export in (export for chain in renamed for export in chain.exports):
        if export.name in names.values():
            raise UsageError(
                f"'{export.name}' is what an export is called, and a stage of the recipe, too. "
                "Give that checkpoint another name."
            )
    return renamed


def _renamed(chain: Chain, names: dict[str, str]) -> Chain:
    slots: list[tuple[str, Node]] = []
    renamed: dict[str, Node] = {}
    for slot, node in chain.slots:
        parent = slots[-1][1] if slots else None
        on = None if node.on is None else renamed[node.on.id]
        renamed[node.id] = replace(node, name=names[node.id], parent=parent, on=on)
        slots.append((slot, renamed[node.id]))
    exports = tuple(_renamed_export(export, renamed) for export in chain.exports)
    return replace(chain, slots=tuple(slots), exports=exports)


def _renamed_export(export: Node, renamed: dict[str, Node]) -> Node:
    assert export.on is not None, "an export is of a stage"
    of = renamed[export.on.id]
    return replace(export, name=f"{of.name}{export.name[len(export.on.name) :]}", parent=of, on=of)


def _refuse_equal_chains(chains: list[Chain]) -> None:
    """What is the same models would be compared with itself.

    A chain that trains nothing may come with several seeds.
    """
    first_of: dict[tuple[str, ...], Chain] = {}
    for chain in chains:
        first = first_of.setdefault(tuple(node.id for _, node in chain.slots), chain)
        if first.variant != chain.variant:
            raise UsageError(
                f"Variants '{first.variant}' and '{chain.variant}' are the same models: nothing "
                "that makes a stage differs."
            )
        if first is not chain and first.seed == chain.seed:
            raise UsageError(
                f"Two subsets of the lattice are the same models, as stages {_slots(first)} and "
                f"{_slots(chain)} are equal. List a stage once, or change its settings."
            )


def _slots(chain: Chain) -> str:
    return "+".join(slot for slot, _ in chain.slots[1:])


def stage_settings(recipe: Recipe, stage: StageSection) -> StageSettings:
    """Fill in the dataset that a stage leaves to the recipe, and pin it to its commit."""
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
    identity = settings.model_dump(mode="json", exclude={"dataset": {"path", "chat"}}) | {
        **rows_identity(settings, parent.base),
        **pairs_identity(settings),
        "args": arguments_that_train(settings.args, stop_when_ill=stage.stop_when_ill),
        "training_version": _TRAINING_VERSION,
        "data": fingerprint(settings.dataset),
        "lora": lora,
        "seed": recipe.seed,
        "reward_code": [reward_fingerprint(name) for name in settings.rewards],
    }
    if stage.stop_when_ill:
        identity["stop_when_ill"] = True
    selected = None
    if stage.select is not None:
        base, every = parent.root.base, stage.select.every
        selected = selects(recipe, stage.select.metric, base, [parent.base], every)
        identity["select"] = selected.identity
    return Node(
        name=name,
        kind=stage.kind,
        identity=identity,
        parent=parent,
        on=parent,
        base=parent.base,
        settings=settings,
        lora=lora,
        seed=recipe.seed,
        launcher=stage_launcher(recipe, stage),
        selects=selected,
        stop_when_ill=stage.stop_when_ill,
    )
