"""Nodes of what a recipe names: the weights that it starts from, and what was trained elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stagelift.evals.models.adapters import adapter_folder, trained_on
from stagelift.evals.models.chat import PLAIN
from stagelift.evals.models.model import (
    ModelRef,
    adapter_hash,
    is_called,
    is_exactly,
    model_fingerprint,
)
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.asked_with import (
    asked_with,
    plain_text_template,
    template_of,
    template_text,
)
from stagelift.harness.graph.digest import digest
from stagelift.harness.graph.node import Node, Precise, candidates
from stagelift.harness.graph.revision import held_in, model_revision
from stagelift.harness.recipes.sections import CheckpointSection, ModelSection, Recipe

PREVIOUS = "previous"


def base_node(section: ModelSection, chat_template: str | None, precise: Precise) -> Node:
    """Return the model that chains start from; `chat_template` is what a recipe says of it.

    Raises UsageError.
    """
    device, dtype = precise(section.dtype)
    ref = ModelRef(
        path=section.path,
        revision=section.revision,
        eos_token=section.eos_token,
        dtype=dtype,
        device=device,
        quantization=section.quantization,
    )
    ref = _checked(ref, chat_template)
    return Node(section.name or "base", "base", _identity(ref), None, None, ref)


def checkpoint_node(
    recipe: Recipe, section: CheckpointSection, name: str, before: Sequence[Node]
) -> Node:
    """Return a checkpoint as the stage after those `before`. Raises UsageError."""
    if section.adapter is not None:
        return _adapter_node(recipe, section, section.adapter, name, before)
    assert section.weights is not None, "what is no adapter has weights"
    ref = ModelRef(
        path=section.weights,
        revision=section.revision,
        eos_token=section.eos_token,
        dtype=before[0].base.dtype,
        device=before[0].base.device,
        quantization=recipe.model.quantization,
    )
    ref = _checked(ref, recipe.template)
    return Node(name, section.kind, _identity(ref), before[-1], None, ref, lora=recipe.lora)


def _checked(ref: ModelRef, chat_template: str | None) -> ModelRef:
    """Return weights pinned to a commit and as they are held, with a chat template that they can
    be asked in.
    """
    ref = _with_template(ref, chat_template)
    template_of(ref)
    revision = model_revision(ref.path, ref.revision)
    held = held_in(ref.path, revision, ref.quantization)
    return ref.model_copy(update={"revision": revision, "quantization": held})


def _with_template(ref: ModelRef, chat_template: str | None) -> ModelRef:
    """Put the recipe's chat template in the place of another one; plain text only where there is
    none.
    """
    template = plain_text_template(ref) if chat_template == PLAIN else template_text(chat_template)
    if template is None or template == asked_with(ref).template:
        return ref
    return ref.model_copy(update={"chat_template": template})


def _identity(ref: ModelRef) -> dict[str, Any]:
    identity = {
        "model": model_fingerprint(ref.path, ref.revision),
        "eos_token": ref.eos_token,
        "dtype": ref.dtype,
        "device": ref.device,
    }
    if ref.quantization is not None:
        identity["quantization"] = ref.quantization
    return identity | _own_template(ref)


def _own_template(ref: ModelRef) -> dict[str, str]:
    return {} if ref.chat_template is None else {"chat_template": digest(ref.chat_template)}


def _adapter_node(
    recipe: Recipe, section: CheckpointSection, adapter: str, name: str, before: Sequence[Node]
) -> Node:
    folder = adapter_folder(adapter, section.revision)
    on = _lies_on(section, folder, before)
    ref = _asked_in_its_own_way(on.base, folder, recipe)
    identity: dict[str, Any] = {"adapter": adapter_hash(folder)}
    if on.id != before[-1].id:
        identity["on"] = on.id
    if ref != on.base:
        # once an adapter was asked and trained in the template below it, whatever lay beside it
        identity["asked_with"] = digest(asked_with(ref).model_dump())
        identity |= _own_template(ref)
    return Node(
        name=name,
        kind=section.kind,
        identity=identity,
        parent=before[-1],
        on=on,
        base=ref,
        lora=recipe.lora,
        adapter=str(folder),
    )


def _lies_on(section: CheckpointSection, folder: Path, before: Sequence[Node]) -> Node:
    """Return the stage that an adapter lies on: named by the user, or by itself, else base."""
    if section.onto == PREVIOUS:
        return before[-1]
    if section.onto is not None:
        named = [node for node in before if node.name == section.onto]
        if not named:
            known = ", ".join(node.name for node in before)
            raise UsageError(
                f"Checkpoint '{section.name}' says onto: {section.onto}, and there is no such "
                f"stage before it. Say {PREVIOUS}, or one of {known}."
            )
        return named[0]
    named_by_it = trained_on(folder)
    return before[0] if named_by_it is None else _named_stage(section, named_by_it, before)


def _named_stage(section: CheckpointSection, named: str, before: Sequence[Node]) -> Node:
    """Return the stage whose weights an adapter names, else base: by its whole name, or by the last
    part of it where that is one stage's alone.

    Raises UsageError where the adapter does not say which of several it means.
    """
    models = [
        (stage, model)
        for stage in reversed(before)
        if stage.on is None
        for model in candidates(stage) or [stage]
    ]
    exact = [(stage, model) for stage, model in models if is_exactly(model.base, named)]
    matching = exact or [(stage, model) for stage, model in models if is_called(model.base, named)]
    itself = [stage for stage, model in matching if stage is model]
    if not exact and len({model.base.path for _, model in matching}) > 1:
        raise UsageError(_could_be(section, named, [stage for stage, _ in matching]))
    if matching and not itself:
        raise UsageError(_is_one_of_several(section, named, matching[0][0]))
    return next(iter(itself), before[0])


def _could_be(section: CheckpointSection, named: str, stages: Sequence[Node]) -> str:
    names = list(dict.fromkeys(stage.name for stage in reversed(stages)))
    return (
        f"The adapter of checkpoint '{section.name}' says that it was trained on '{named}', which "
        f"can be more than one model of {', '.join(names)}. Say in its checkpoint which stage it "
        f"lies on, such as onto: {names[-1]}."
    )


def _is_one_of_several(section: CheckpointSection, named: str, stage: Node) -> str:
    return (
        f"The adapter of checkpoint '{section.name}' says that it was trained on '{named}', one of "
        f"the checkpoints that stage '{stage.name}' is selected among, and another may be "
        f"selected. Say onto: {stage.name} to put it on the selected one, or name that checkpoint "
        "as a stage with `model`."
    )


def _asked_in_its_own_way(below: ModelRef, folder: Path, recipe: Recipe) -> ModelRef:
    """Take the tokenizer that lies beside an adapter, where it is another one than below."""
    if not (folder / "tokenizer_config.json").is_file():
        return below
    own = below.model_copy(update={"tokenizer": str(folder), "chat_template": None})
    if asked_with(own).template is None:
        return below
    own = _with_template(own, recipe.template)
    return below if asked_with(own) == asked_with(below) else own
