"""A folder of checkpoints as one stage: it is the best of them on validation data.

Which one that is is not known before they are measured. What they have in common is: the model that
they lie on, and how they are asked.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from stagelift.harness.errors import UsageError
from stagelift.harness.graph.asked_with import asked_with
from stagelift.harness.graph.checkpoints import checkpoint_node
from stagelift.harness.graph.node import Node
from stagelift.harness.graph.validation import selects
from stagelift.harness.recipes.sections import CheckpointSection, Recipe
from stagelift.stages.saved_checkpoints import SavedCheckpoint, saved_checkpoints


def trajectory_node(
    recipe: Recipe, section: CheckpointSection, folder: str, name: str, before: Sequence[Node]
) -> Node:
    """Return the stage after those `before` that is the best of the checkpoints in a folder.

    Raises UsageError where there are none, or they are not of one training.
    """
    try:
        saved = saved_checkpoints(Path(folder))
    except ValueError as error:
        raise UsageError(str(error)) from error
    candidates = tuple(
        (one.step, checkpoint_node(recipe, _alone(section, one), f"{name}-{one.step}", before))
        for one in saved.whole
    )
    _refuse_unlike(folder, candidates)
    _, last = candidates[-1]
    selected = replace(
        selects(recipe, section.metric, before[0].base, [node.base for _, node in candidates]),
        candidates=candidates,
        left_out=saved.left_out,
    )
    identity = {"select": selected.identity}
    return replace(last, name=name, identity=identity, adapter=None, selects=selected)


def _alone(section: CheckpointSection, saved: SavedCheckpoint) -> CheckpointSection:
    """Take one of the checkpoints for the only one."""
    what = "adapter" if saved.is_adapter else "model"
    return section.model_copy(update={"checkpoints": None, "metric": None, what: str(saved.path)})


def _refuse_unlike(folder: str, candidates: Sequence[tuple[int, Node]]) -> None:
    """Refuse checkpoints that would be asked in different ways: their values would not compare."""
    (first_step, first), *others = candidates
    for step, other in others:
        if asked_with(other.base) != asked_with(first.base):
            raise UsageError(
                f"The checkpoints of steps {first_step} and {step} in '{folder}' have different "
                "tokenizers or chat templates, so they would not be asked the same. Set "
                "chat_template in the recipe, or move one of them away."
            )
