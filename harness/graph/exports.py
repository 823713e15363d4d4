"""Nodes of exports: what a stage's model is deployed as, beside the stage.

Nothing is trained on them, and no stage comes after them.
"""

from collections.abc import Sequence

from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node
from stagelift.stages.exports.export import Export
from stagelift.stages.records import EXPORT


def export_nodes(of: Node, wanted: Sequence[Export]) -> tuple[Node, ...]:
    """Return the exports of a stage that are wanted. Raises UsageError where one comes twice, or
    there is nothing to merge.
    """
    titles = [export.title for export in wanted]
    twice = next((title for title in titles if titles.count(title) > 1), None)
    if twice is not None:
        raise UsageError(f"export of stage '{of.name}' names {twice} twice. Name it once.")
    return tuple(_node(of, export) for export in wanted)


def _node(of: Node, export: Export) -> Node:
    exported = export.of(of.base.dtype)
    if exported.gguf is None and of.on is None:
        raise UsageError(
            f"export names merged, and '{of.name}' has no adapter that could be merged: it is full "
            "weights, which are deployed as they are. Leave merged out."
        )
    return Node(
        name=f"{of.name}-{export.title}",
        kind=EXPORT,
        identity={"export": exported.model_dump(exclude_none=True)},
        parent=of,
        on=of,
        # in 4 bits nothing can be merged: the weights that these were made from are deployed
        base=of.base.model_copy(update={"quantization": None}),
        lora=of.lora,
        seed=of.seed,
        exported=exported,
    )
