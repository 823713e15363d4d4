"""What processes that are gone left half written in the folders of a run: it goes before the run
goes on. What a living process writes is locked, and stays.
"""

from stagelift.evals.whole import remove_left_files, remove_left_folders
from stagelift.harness.graph.node import Plan, candidates
from stagelift.harness.graph.store import Store
from stagelift.harness.locks import Held, held
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder


def remove_left(plan: Plan, store: Store, run: RunFolder) -> None:
    """Remove what is left in the folders of a run, its nodes and its judges. The caller holds the
    run's lock.
    """
    for node in plan.nodes:
        for each in (node, *candidates(node)):
            _remove_left_of(store.node_folder(each))
    for folder in (run.path, store.judges.path):
        remove_left_files(folder)


def _remove_left_of(node: NodeFolder) -> None:
    if not node.path.is_dir():
        return
    remove_left_files(node.path)
    try:
        with held(node.lock_file):
            remove_left_folders(node.path)
    except Held:
        # a worker fills them
        return
