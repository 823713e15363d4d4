"""Whether the exports of a plan can be made and measured, before anything is loaded or trained."""

import tempfile
from functools import partial
from pathlib import Path

from stagelift.evals.models import pretrained
from stagelift.evals.models.model import (
    Dtype,
    ModelRef,
    model_folder,
    remembered_of_model,
    tokenizer_of,
)
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.stages.exports.llama_cpp import find_llama_cpp, try_converter


def check_exports(plan: Plan, store: Store) -> None:
    """Check the exports that are still to be made. Raises UsageError.

    The converter is tried on each model's settings and tokenizer, without weights: what it does not
    know shows now.
    """
    exports = [
        (node, node.exported)
        for node in plan.nodes
        if node.exported is not None and not store.is_trained(node)
    ]
    for node, exported in exports:
        _check_is_measured_as_stored(node, exported.dtype)
    ggufs = [(node, exported.gguf) for node, exported in exports if exported.gguf is not None]
    if not ggufs:
        return
    engine = plan.settings.engine.kind
    if engine != "transformers":
        raise UsageError(
            f"Export '{ggufs[0][0].name}' is a GGUF file, and evals.engine is {engine}: "
            "transformers reads it back, de-quantised. Set evals.engine to transformers, or leave "
            "gguf out of export."
        )
    try:
        find_llama_cpp([kind for _, kind in ggufs])
        # a chain can have several weights, and weights several tokenizers
        for base in dict.fromkeys(node.base for node, _ in ggufs):
            _check_converts(base)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _check_is_measured_as_stored(node: Node, stored: Dtype) -> None:
    """All models of a run are loaded in its dtype. In float32 nothing of what is stored is lost."""
    measured = node.base.dtype
    if measured not in ("float32", stored):
        raise UsageError(
            f"Export '{node.name}' would be stored in {stored}, and this run loads every model in "
            f"{measured}: what is measured would not be what is deployed. Write merged, or set "
            f"model.dtype to {stored}."
        )


def _check_converts(base: ModelRef) -> None:
    """Raise ValueError where a model's GGUF file could not be made, or not be read back."""
    kind = pretrained.model_config(model_folder(base.path), base.revision).model_type
    readable = pretrained.gguf_architectures()
    if kind not in readable:
        raise ValueError(
            f"export asks for a GGUF file of a '{kind}', which transformers cannot read back to "
            f"measure it. It can: {', '.join(readable)}. Leave gguf out of export."
        )
    # its parts decide, too
    script = find_llama_cpp([]).converter
    parts = [str(part) for part in sorted(script.parent.glob("conversion/*.py"))]
    asked = [str(script), parts, base.tokenizer, base.eos_token, base.chat_template]
    remembered_of_model("gguf", base.path, base.revision, asked, partial(_try, base))


def _try(base: ModelRef) -> None:
    with tempfile.TemporaryDirectory(prefix="stagelift-") as folder:
        pretrained.model_config(model_folder(base.path), base.revision).save_pretrained(folder)
        tokenizer_of(base).save_pretrained(folder)
        try_converter(Path(folder), Path(folder, "trial.gguf"))
