"""A run that was begun in another dtype than `auto` gives now: it would be trained anew."""

from pathlib import Path

from stagelift.harness.forecast.advice import Advice
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.store import Store
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder


def other_dtype_advice(plan: Plan, store: Store) -> list[Advice]:
    """Warn of a dtype that changed under a run; with a dtype that is pinned it cannot."""
    folder = store.run(plan.recipe.name)
    if plan.recipe.model.dtype != "auto" or not folder.is_run():
        return []
    then, now = _begun_in(folder, store.root), plan.model.dtype
    if then is None or then == now:
        return []
    text = (
        f"run '{plan.recipe.name}' was begun in {then}, and model.dtype=auto is {now} here: all of "
        f"it is trained and evaluated anew. --set model.dtype={then} --name NEW goes on in {then}, "
        "and finds what is done."
    )
    return [Advice("precision", "warning", text)]


def _begun_in(run: RunFolder, root: Path) -> str | None:
    """Return the dtype of a run's base; None where that is not known."""
    base = NodeFolder(root / run.read().stages[0].node)
    if not base.is_described():
        return None
    dtype = base.read().identity.get("dtype")
    return None if dtype is None else str(dtype)
