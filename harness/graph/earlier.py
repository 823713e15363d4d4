"""Nodes that were trained under another name than they would have today.

A node is named by the hash of what it is. That once counted arguments which do not change what is
trained, so what is one node today may lie in several folders. What a folder holds is worked out
anew from its record and those of its ancestors.
"""

from stagelift.harness.graph.node import node_id
from stagelift.reports.folders import RunsFolder
from stagelift.stages.arguments import arguments_that_train
from stagelift.stages.folders import NodeRecord


def earlier_nodes(runs: RunsFolder) -> dict[str, list[NodeRecord]]:
    """Return the trained nodes that have another name today, by that name."""
    records = _records(runs)
    today: dict[str, str] = {}
    earlier: dict[str, list[NodeRecord]] = {}
    for name, record in records.items():
        name_today = _name_today(name, records, today)
        if name_today != name and runs.node(name).is_trained():
            earlier.setdefault(name_today, []).append(record)
    return earlier


def _records(runs: RunsFolder) -> dict[str, NodeRecord]:
    """Read what nodes are, by name; what cannot be read, or is called otherwise, is left out."""
    records = {}
    for folder in runs.described_nodes():
        try:
            record = folder.read()
        except (OSError, ValueError):
            continue
        if record.id == folder.name:
            records[record.id] = record
    return records


def _name_today(name: str, records: dict[str, NodeRecord], today: dict[str, str]) -> str:
    """Name a node by what it is; one that does not say so keeps its name."""
    if name in today or name not in records:
        return today.get(name, name)
    record = records[name]
    # until it is known, for a record that names itself as its own ancestor
    today[name] = name
    if "args" in record.identity:
        parent = None if record.parent is None else _name_today(record.parent, records, today)
        ends = bool(record.identity.get("stop_when_ill"))
        args = arguments_that_train(record.identity["args"], stop_when_ill=ends)
        today[name] = node_id(record.kind, {**record.identity, "args": args}, parent)
    return today[name]
