"""What becomes of the rows of a plan's stages: refused where nothing is left, else said."""

from functools import partial
from typing import Any

from stagelift.evals.data.bundled_data import is_bundled
from stagelift.evals.data.source import local_file
from stagelift.evals.models.model import context_length, tokenizer_of
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.rows import of_tokenizer
from stagelift.stages.kinds import kind_named
from stagelift.stages.rows.counts import Limits, RowCounts, count_rows, note, problem
from stagelift.stages.rows.training import given_and_trained
from stagelift.stages.settings import StageSettings, config_on_paper


def check_row_counts(plan: Plan) -> None:
    """Raise UsageError where a stage would find nothing to train on in its rows."""
    for node in plan.nodes:
        counts = row_counts(node)
        if node.settings is not None and counts is not None:
            sentence = problem(node.settings, counts)
            if sentence is not None:
                raise UsageError(sentence)


def row_notes(plan: Plan) -> list[str]:
    """Say, a line for each stage, of how many rows something is lost."""
    counted = [(node.settings, row_counts(node)) for node in plan.nodes]
    notes = [
        note(settings, counts)
        for settings, counts in counted
        if settings is not None and counts is not None
    ]
    return list(dict.fromkeys(line for line in notes if line is not None))


def row_counts(node: Node) -> RowCounts | None:
    """Count the rows of a stage; None where they are of the Hub, or nothing can be wrong with them.

    What was counted is remembered. Raises UsageError where a row cannot be written.
    """
    settings = node.settings
    if settings is None or not _is_looked_at(settings):
        return None
    try:
        counted = partial(_counted, settings, node)
        found = of_tokenizer("row-counts-2", settings, node.base, counted)
    except ValueError as error:
        raise UsageError(str(error)) from error
    return RowCounts(**found)


def _is_looked_at(settings: StageSettings) -> bool:
    """Bundled rows are known to be short, and to be no copies of each other."""
    if is_bundled(settings.dataset.path):
        return settings.args.get("max_length") is not None
    return local_file(settings.dataset) is not None


def _counted(settings: StageSettings, node: Node) -> dict[str, Any]:
    given, trained = given_and_trained(settings)
    counts = count_rows(
        kind_named(settings.kind),
        given,
        trained,
        settings.args,
        _limits(settings, node),
        partial(tokenizer_of, node.base),
    )
    return counts.model_dump(mode="json")


def _limits(settings: StageSettings, node: Node) -> Limits:
    kind = kind_named(settings.kind)
    config = config_on_paper(kind, settings.args)
    if kind.rewarded:
        # TRL cuts no prompt; one that fills the context leaves no position to answer in
        return Limits(
            tokens=context_length(node.base) - 1,
            name="the model's context less one token",
            loses="leave no room to answer",
            is_room=True,
        )
    packs = getattr(config, "packing", False)
    keeps_end = getattr(config, "truncation_mode", "keep_start") == "keep_end"
    # what is packed may go on in the next sequence
    unlimited = packs and config.packing_strategy != "bfd"
    return Limits(
        tokens=None if unlimited else kind.cost(config).limit,
        name="args.max_length",
        loses="lose their beginning" if keeps_end else "lose their end",
        drops=not packs and not keeps_end,
    )
