"""A run whose records agree with one another, and with its responses: what is reported, checked,
exported, pushed and voted on.
"""

from collections.abc import Iterator
from pathlib import Path

from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.hashes import DamagedError
from stagelift.harness.disagreements import disagreements
from stagelift.reports.folders import RunFolder
from stagelift.reports.records import RunRecord, read_run
from stagelift.stages.folders import NodeFolder


def read_agreeing_run(path: Path) -> RunRecord:
    """Read a run as `read_run` does, and raise DamagedError where a score is not what its response
    gives.
    """
    run, folder = read_run(path), RunFolder(path)
    found = [damage for place in _evaluations(folder) for damage in disagreements(place)]
    if found:
        raise DamagedError(found, folder.what_else())
    return run


def _evaluations(folder: RunFolder) -> Iterator[EvaluationFolder]:
    """Yield every evaluation that a report of a run says something of."""
    root, run = folder.runs.root, folder.read()
    places = [*(stage.evaluation for stage in run.stages), *(one.evaluation for one in run.repeats)]
    for node in (NodeFolder(root / stage.node) for stage in run.stages):
        if node.is_selected():
            selection = node.read_selection()
            places += [selection.base, *selection.checkpoints.values()]
    every = (EvaluationFolder(root / place) for place in dict.fromkeys(places))
    return (evaluation for evaluation in every if evaluation.is_complete())
