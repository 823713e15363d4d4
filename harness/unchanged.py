"""Whether what a job loads is still what its run was planned with: models and adapters lie in
folders that others can reach, and a run takes hours.

A number of other weights under this node's name would be worse than none.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from stagelift.evals.folders import REMEDY
from stagelift.evals.models.model import adapter_hash, model_fingerprint
from stagelift.harness.graph.node import Node
from stagelift.harness.graph.store import Store
from stagelift.harness.selecting import chosen

# size and times of a file say whether anybody wrote to it; the place says which file it is
_Stamp = tuple[str, int, int, int, int]


def loaded_with(node: Node | None, store: Store) -> Iterator[Node]:
    """Yield the nodes whose weights and adapters are loaded for a node's model, its own first."""
    while node is not None:
        yield (node := chosen(node, store))
        node = None if node.exported is not None else node.on


def what_changed(nodes: Iterable[Node], store: Store) -> str | None:
    """Say which folder of these nodes is gone, or not what it was; None where all is as it was."""
    said = (_changed(node, store) for node in nodes)
    return next((words for words in said if words is not None), None)


def _changed(node: Node, store: Store) -> str | None:
    if node.adapter is not None:
        return _compared("Adapter", node.adapter, node.identity.get("adapter"))
    if node.on is None:
        return _compared("Model", node.base.path, node.identity.get("model"))
    damage = next(iter(store.node_folder(node).damages()), None)
    return None if damage is None else f"{damage}. Put it back; or else: {REMEDY}"


def _compared(what: str, path: str, planned: str | None) -> str | None:
    """Compare a model or adapter on this machine; those of the Hub are named by their commit."""
    if planned is None or not planned.startswith(("sha256:", "gguf:")):
        return None
    place = Path(path)
    if not place.exists():
        return f"{what} '{path}' is gone from {place.absolute().parent}. Put it back."
    if _hash_of(what, path, tuple(_stamps(place))) == planned:
        return None
    return (
        f"{what} '{path}' has other files than when this run was planned (in {place.absolute()}). "
        "Put back what was there; what is there now is another model, for a run of another name."
    )


@lru_cache(maxsize=32)
def _hash_of(what: str, path: str, _: tuple[_Stamp, ...]) -> str | None:
    """Hash a model or adapter; what nobody touched is not read again for the next job."""
    try:
        return adapter_hash(Path(path)) if what == "Adapter" else model_fingerprint(path, None)
    except OSError:
        # it goes away just now
        return None


def _stamps(place: Path) -> Iterator[_Stamp]:
    for file in sorted(place.iterdir()) if place.is_dir() else [place]:
        try:
            known = file.stat()
        except OSError:
            continue
        yield (file.name, known.st_size, known.st_mtime_ns, known.st_ctime_ns, known.st_ino)
