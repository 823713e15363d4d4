"""What the jobs of a plan are called, where they are forecast and where they are done."""

from stagelift.harness.graph.node import Node

TRAIN, SELECT, EVALUATE, REPEAT = "train", "select", "evaluate", "evaluate again"
EXPORT = "export"


def job_name(what: str, node: Node, repeat: int = 0) -> str:
    """Name a job of a node; a repeated evaluation has a number."""
    return f"{what} {node.id} {repeat}"
