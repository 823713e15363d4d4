"""A node is one model in the graph, named by the hash of what it is and of its parent.

So it is trained once, ever.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from stagelift.evals.models.model import Device, Dtype, ModelRef
from stagelift.evals.settings import EvaluationSettings
from stagelift.harness.graph.digest import digest
from stagelift.harness.recipes.sections import LauncherSection, Recipe
from stagelift.stages import precision
from stagelift.stages.exports.export import ExportedAs
from stagelift.stages.settings import StageSettings

Precise = Callable[[precision.DtypeSetting], tuple[Device, Dtype]]


@dataclass(frozen=True)
class Selects:
    """How one of several checkpoints is selected: the best by a `metric` on validation data.

    `settings` say what is asked, and `contract` is everything that makes two of these evaluations
    comparable. In training the adapter is kept after `every` so many steps; `candidates` are
    checkpoints of the user's, with the step of each.
    """

    metric: str
    settings: EvaluationSettings
    contract: dict[str, Any]
    every: int | None = None
    candidates: "tuple[tuple[int, Node], ...]" = ()
    # by name, why folders are no candidates
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two of its evaluations comparable."""
        return digest(self.contract)

    @property
    def identity(self) -> dict[str, Any]:
        """What of it is part of what a node is."""
        identity = {"metric": self.metric, "validation": self.contract_id}
        if self.every is not None:
            return {**identity, "every": self.every}
        return {**identity, "checkpoints": {str(step): node.id for step, node in self.candidates}}


@dataclass(frozen=True)
class Node:
    """One model in the graph: weights, or an adapter on the model of another node.

    A `base` trains nothing, nor does a `checkpoint`, which was trained elsewhere, nor an export:
    what its parent is deployed as, with all adapters merged. `parent` is the stage before, which a
    stage is compared with. `on` is the node whose model lies under this one's adapter, or is
    exported: None where it has weights of its own, else mostly the parent.

    `base` is the model without any adapter, with the tokenizer that this node is asked with. `name`
    is what the run calls it; it is not part of what it is.
    """

    name: str
    kind: str
    identity: dict[str, Any]
    parent: "Node | None"
    on: "Node | None"
    base: ModelRef
    settings: StageSettings | None = None
    lora: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    launcher: LauncherSection | None = None
    # of a checkpoint; a trained stage's lies in its folder
    adapter: str | None = None
    # where it becomes one of several checkpoints
    selects: Selects | None = None
    stop_when_ill: bool = False
    # where it is what its parent is deployed as
    exported: ExportedAs | None = None

    @cached_property
    def id(self) -> str:
        """Hash of kind, settings, data and ancestors."""
        parent = None if self.parent is None else self.parent.id
        return node_id(self.kind, self.identity, parent)

    @property
    def root(self) -> "Node":
        """The base that the chain starts from."""
        return self if self.parent is None else self.parent.root

    @property
    def weights(self) -> "Node":
        """The node whose own weights all adapters of this one lie on."""
        return self if self.on is None else self.on.weights

    @property
    def starts_an_adapter(self) -> bool:
        """Say whether training begins with a new adapter.

        It is the first one, or has other LoRA settings than the one that came in.
        """
        if self.settings is None or self.on is None:
            return False
        return self.on.on is None or self.on.lora != self.lora

    @property
    def merged(self) -> "list[Node]":
        """The nodes whose adapters are merged into the weights under this node's own adapter.

        They come first to last.
        """
        if self.on is None:
            return []
        is_trained_on = self.settings is not None and not self.starts_an_adapter
        if is_trained_on or self.on.on is None:
            return self.on.merged
        return [*self.on.merged, self.on]


def candidates(node: Node) -> list[Node]:
    """Return the checkpoints of the user's that a node is selected among."""
    return [] if node.selects is None else [candidate for _, candidate in node.selects.candidates]


def node_id(kind: str, identity: dict[str, Any], parent: str | None) -> str:
    """Name a node by what it is; `parent` is the name of the node that it is made from."""
    return f"{kind}-{digest({'kind': kind, 'identity': identity, 'parent': parent})}"


@dataclass(frozen=True)
class Chain:
    """One way through the graph from base on.

    It says which node stands in each slot of the chain (`base`, `sft`, `dpo-2`). `exports` are
    beside it: what some of its nodes are deployed as.
    """

    variant: str
    seed: int
    slots: tuple[tuple[str, Node], ...]
    exports: tuple[Node, ...] = ()

    def nodes(self) -> list[Node]:
        """Return all nodes in order, each export after the stage that it is of."""
        return [
            each
            for _, node in self.slots
            for each in (node, *(export for export in self.exports if export.on is node))
        ]


@dataclass(frozen=True)
class Plan:
    """The nodes of a run, each after its parent, and what every evaluation measures.

    `chains` are the ways through them. `repeats` are evaluations that are made once more, so that
    their spread is known. `reference` names the variant that the others are compared with.
    `contract` is everything that makes two evaluations comparable.
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
        """The model that the recipe starts from; a variant may have another."""
        return self.nodes[0].base

    @property
    def contract_id(self) -> str:
        """Hash of everything that makes two evaluations comparable."""
        return digest(self.contract)

    @property
    def is_study(self) -> bool:
        """Say whether there is more than one chain."""
        return len(self.chains) > 1
