"""A run begins by removing what processes that are gone left in its folders."""

from pathlib import Path

from stagelift.harness.graph.left import remove_left
from stagelift.harness.graph.store import Store
from stagelift.harness.locks import held
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import prepare
from tests.shared import copied


def test_what_is_left_goes_but_for_folders_of_nodes_that_are_worked_on(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    copied(finished_run.parent, tmp_path / "runs")
    store = Store(tmp_path / "runs")
    plan, run = prepare(load_recipe(str(tiny_recipe_file), []), store), store.run("tiny")
    sft, dpo = (store.node_folder(node) for node in plan.nodes[1:3])
    file = run.path / ".report.html.7.tmp"
    file.touch()
    for node in (sft, dpo):
        (node.path / "adapter.part").mkdir()
    with held(dpo.lock_file):
        remove_left(plan, store, run)
    assert not file.exists()
    assert not (sft.path / "adapter.part").exists()
    assert (dpo.path / "adapter.part").exists()
