"""What makes TRL's trainers faster, with the same losses.

All of it relies on how TRL and transformers work inside, so it is for the versions that it was
tested with. With others, and with models that do not allow it, training runs as TRL has it and the
stage's record says so.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

# what is relied on is not public: in another version it may mean something else
TESTED = {"trl": "1.16.", "transformers": "5.23.", "peft": "0.21."}


@contextmanager
def faster(trainer: Any) -> Iterator[list[str]]:
    """Within this context a trainer's steps are faster.

    Gives sentences about what runs as TRL has it instead, and why.
    """
    untested = untested_version()
    if untested is not None:
        yield [f"Every step runs as TRL has it: {untested}."]
        return
    with ExitStack() as context:
        yield _entered(trainer, context)


def untested_version() -> str | None:
    """Name the first library that is there in a version which this was not tested with."""
    for package, tested in TESTED.items():
        there = version(package)
        if not f"{there}.".startswith(tested):
            return f"{package} is {there}, faster steps were tested with {tested}x"
    return None


def _entered(trainer: Any, context: ExitStack) -> list[str]:
    from stagelift.evals.models.engines.inference import needs_peft
    from stagelift.stages.groups import kept_whole
    from stagelift.stages.lm_head import scored_once
    from stagelift.stages.packed.fits import why_not
    from stagelift.stages.packed.forward import packed
    from stagelift.stages.products import faster_products
    from stagelift.stages.signal import entropy_is_learnt

    context.enter_context(faster_products(trainer.model))
    causal = _causal_model(trainer.model)
    if causal is None:
        return []
    said = _about_completions(trainer)
    if not entropy_is_learnt(trainer):
        context.enter_context(scored_once())
    begins_late = "its adapter begins at some token of each row"
    reason = begins_late if needs_peft(trainer.model) else why_not(causal)
    if reason is not None:
        return [*said, f"Batches are padded as TRL has them: {reason}."]
    context.enter_context(packed(causal.base_model))
    context.enter_context(kept_whole(trainer))
    return said


def _about_completions(trainer: Any) -> list[str]:
    from stagelift.stages.rollouts import what_the_engine_does_not

    if not hasattr(trainer, "num_generations"):
        return []
    reason = what_the_engine_does_not(trainer.args)
    return [] if reason is None else [f"Completions are generated as TRL has it: {reason}."]


def _causal_model(model: Any) -> Any:
    """Return the language model below the adapters, or None for one that only scores."""
    below = model.get_base_model() if hasattr(model, "get_base_model") else model
    return None if below.get_output_embeddings() is None else below
