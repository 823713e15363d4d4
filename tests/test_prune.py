"""`stagelift prune`: what no run refers to goes, what anything may need stays, and a kill in
between loses nothing.
"""

import logging
import os
import pty
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.evals.files import write_json, write_text
from stagelift.evals.strict_json import read_json
from stagelift.harness.cli import app
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.prune import find_unneeded, prune
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.reports.run_file import RunChain, RunRepeat
from tests.conftest import environment
from tests.in_process import run_recipe
from tests.shared import copied
from tests.stored import make_run_file

BASE, SFT, DPO, OTHER = (
    f"{kind}-{digit * 16}"
    for kind, digit in (("base", "0"), ("sft", "1"), ("dpo", "2"), ("sft", "3"))
)


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A base with a chain sft, dpo on it and another sft; no run refers to any."""
    for name, parent in ((BASE, None), (SFT, BASE), (DPO, SFT), (OTHER, BASE)):
        write_node(tmp_path / "runs", name, parent)
    return Store(tmp_path / "runs")


def write_node(root: Path, name: str, parent: str | None) -> None:
    identity = {
        "args": {"max_steps": 40},
        "lora": {"r": 4},
        "seed": 7,
        "data": "schoolmath-1/train",
    }
    described = {"id": name, "kind": "sft", "parent": parent, "identity": identity}
    write_json(root / "nodes" / name / "node.json", described)
    write_text(root / "nodes" / name / "adapter" / "weights", "x" * 1_000_000)


def write_run(store: Store, name: str, *nodes: str) -> None:
    store.run(name).write(make_run_file(nodes, name=name))


def unneeded(store: Store) -> list[str]:
    return [one.folder.name for one in find_unneeded(store).unneeded]


def there(store: Store) -> set[str]:
    return {path.name for path in store.nodes.iterdir()}


def test_a_node_that_a_run_names_stays_and_so_does_what_it_was_made_from(store: Store) -> None:
    write_run(store, "mine", DPO)
    assert unneeded(store) == [OTHER]
    write_run(store, "yours", OTHER)
    assert unneeded(store) == []


def test_a_measurement_that_is_made_again_counts_as_a_reference(store: Store) -> None:
    repeat = RunRepeat(stage=SFT, evaluation=f"nodes/{DPO}/evals/c0ffee-repeat-1")
    chain = RunChain(variant="", seed=0, stages=(("sft", SFT),))
    run = make_run_file([SFT], chains=(chain,), repeats=(repeat,))
    store.run("mine").write(run)
    assert unneeded(store) == [OTHER]


def test_a_checkpoint_that_lies_in_a_node_is_a_reference(store: Store) -> None:
    recipe = {"checkpoint": {"adapter": f"runs/nodes/{OTHER}/adapter"}}
    store.run("mine").write(make_run_file([SFT], recipe=recipe))
    assert unneeded(store) == [DPO]


def test_it_shows_what_and_how_much_and_without_a_terminal_deletes_nothing(
    stagelift: Callable[..., Result], store: Store
) -> None:
    write_run(store, "mine", SFT)
    before = set(store.root.rglob("*"))
    result = stagelift("prune")
    assert result.exit_code == 0, result.output
    assert (
        f"{OTHER}" in result.output
        and "r=4, seed=7, max_steps=40, schoolmath-1/train" in result.output
    )
    assert "2 nodes, 2.0 MB: no run in runs refers to them" in result.output
    assert (
        "Nothing was deleted. Delete them with: stagelift prune --runs runs --yes" in result.output
    )
    assert set(store.root.rglob("*")) == before


def test_with_yes_it_deletes_and_a_second_call_finds_nothing(
    stagelift: Callable[..., Result], store: Store
) -> None:
    write_run(store, "mine", SFT)
    result = stagelift("prune", "--yes")
    assert "Deleted: 2 nodes, 2.0 MB." in result.output
    assert there(store) == {BASE, SFT}
    assert stagelift("prune", "--yes").output == "Nothing to delete in runs.\n"


def answered(root: Path, answer: str) -> str:
    """Run the command on a terminal of its own, type an answer, and return what it printed."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "stagelift", "prune", "--runs", str(root)]
    process = subprocess.Popen(
        command, env=environment(), stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
    )
    os.close(theirs)
    output = ""
    while "[y/N]" not in output:
        output += os.read(ours, 4096).decode()
    os.write(ours, f"{answer}\n".encode())
    try:
        while part := os.read(ours, 4096):
            output += part.decode()
    except OSError:
        # the other end was closed
        pass
    os.close(ours)
    assert process.wait(timeout=60) == 0, output
    return output


def test_on_a_terminal_it_asks_and_no_is_the_default(store: Store) -> None:
    write_run(store, "mine", SFT)
    assert "Nothing was deleted." in answered(store.root, "")
    assert there(store) == {BASE, SFT, DPO, OTHER}
    assert "Deleted: 2 nodes" in answered(store.root, "y")
    assert there(store) == {BASE, SFT}


def test_a_run_that_cannot_be_read_may_refer_to_anything(
    stagelift: Callable[..., Result], store: Store
) -> None:
    for text in (
        "{",
        '{"name": "mine"}',
        '{"stages": [{"node": "sft"}]}',
        '{"stages": ["sft"]}',
    ):
        write_text(store.run("mine").file, text)
        result = stagelift("prune", "--yes")
        assert result.exit_code == 2, (text, result.output)
        assert "It may refer to any node" in result.stderr and "\n" not in result.stderr.strip()
    assert there(store) == {BASE, SFT, DPO, OTHER}


def test_a_run_that_was_moved_elsewhere_may_refer_to_anything(store: Store, tmp_path: Path) -> None:
    (store.root / "mine").symlink_to(tmp_path / "a disk that is not mounted")
    with pytest.raises(UsageError, match="It may refer to any node"):
        find_unneeded(store)


def test_a_needed_node_whose_description_is_damaged_stops_it(store: Store) -> None:
    write_run(store, "mine", DPO)
    write_text(store.nodes / DPO / "node.json", "{")
    with pytest.raises(UsageError, match=f"{DPO}/node.json is not valid JSON"):
        find_unneeded(store)


def test_a_node_that_a_process_works_on_is_left_alone_with_its_ancestors(
    stagelift: Callable[..., Result], store: Store
) -> None:
    lock = store.nodes / DPO / ".lock"
    code = (
        f"from filelock import FileLock; lock = FileLock({str(lock)!r}); lock.acquire(); "
        "print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        result = stagelift("prune", "--yes")
        process.communicate("\n")
    assert f"Left alone, because a process works on them: {DPO}" in result.output
    assert there(store) == {BASE, SFT, DPO}


def test_what_comes_into_use_while_the_question_stands_is_kept(store: Store) -> None:
    shown = find_unneeded(store).unneeded
    write_run(store, "begun meanwhile", DPO)
    assert [one.folder.name for one in prune(store, shown)] == [OTHER]
    assert there(store) == {BASE, SFT, DPO}


def test_what_was_not_shown_is_not_deleted(store: Store) -> None:
    shown = find_unneeded(store).unneeded
    newer = f"sft-{'4' * 16}"
    write_node(store.root, newer, BASE)
    prune(store, shown)
    assert there(store) == {newer}


@pytest.fixture
def wait_until_somebody_waits(caplog: pytest.LogCaptureFixture) -> Callable[[Path], None]:
    """Wait until a lock was asked for in vain: filelock says so in its log."""
    caplog.set_level(logging.DEBUG, "filelock")

    def wait(lock: Path) -> None:
        deadline = time.monotonic() + 60
        while not any(
            record.getMessage().endswith("seconds ...") and str(lock) in record.getMessage()
            for record in caplog.records
        ):
            assert time.monotonic() < deadline, f"nobody waits for {lock}"
            time.sleep(0.01)

    return wait


def test_nothing_is_deleted_while_a_run_says_what_it_refers_to(
    stagelift: Callable[..., Result],
    store: Store,
    wait_until_somebody_waits: Callable[[Path], None],
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with store.lock():
            pruning = pool.submit(stagelift, "prune", "--runs", str(store.root), "--yes")
            wait_until_somebody_waits(store.lock_file)
            assert there(store) == {BASE, SFT, DPO, OTHER}
            write_run(store, "mine", SFT)
        result = pruning.result(timeout=60)
    assert "Deleted: 2 nodes" in result.output
    assert f"Left alone: {SFT}, which came into use meanwhile." in result.output
    assert there(store) == {BASE, SFT}


def test_what_a_killed_pruning_left_is_removed_by_the_next(
    stagelift: Callable[..., Result], store: Store
) -> None:
    write_run(store, "mine", DPO, OTHER)
    # killed after the rename
    (store.nodes / OTHER).rename(store.nodes / f".pruned-{OTHER}")
    # and trained anew
    write_node(store.root, OTHER, BASE)
    result = stagelift("prune", "--yes")
    assert "left by a pruning that was interrupted" in result.output
    assert there(store) == {BASE, SFT, DPO, OTHER}


def test_a_node_pruned_twice_does_not_trip_over_what_was_left(store: Store) -> None:
    shutil.copytree(store.nodes / OTHER, store.nodes / f".pruned-{OTHER}")
    prune(store, find_unneeded(store).unneeded)
    assert there(store) == set()


def test_what_is_no_node_is_not_touched(store: Store, tmp_path: Path) -> None:
    (store.nodes / "my notes").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (store.nodes / f"sft-{'5' * 16}").symlink_to(tmp_path / "elsewhere")
    prune(store, find_unneeded(store).unneeded)
    assert there(store) == {"my notes", f"sft-{'5' * 16}"}


def test_without_runs_there_is_nothing_to_delete(
    stagelift: Callable[..., Result], tmp_path: Path
) -> None:
    assert stagelift("prune", "--yes").output == "Nothing to delete in runs.\n"
    assert set(tmp_path.iterdir()) == set()


def test_a_finished_run_keeps_all_it_needs_and_an_import_its_nodes(
    stagelift: Callable[..., Result], finished_run: Path, tmp_path: Path
) -> None:
    root = tmp_path / "runs"
    copied(finished_run.parent, root)
    write_text(
        tmp_path / "theirs.jsonl",
        '{"id": "1", "prompt": "2 + 2?", "response": "4", "target": "4"}\n',
    )
    assert (
        stagelift("import", "theirs.jsonl", "--as", "responses", "--name", "theirs").exit_code == 0
    )
    before = {path for path in root.rglob("*") if path.name != ".lock"}
    assert stagelift("prune", "--yes").output == "Nothing to delete in runs.\n"
    assert {path for path in root.rglob("*") if path.name != ".lock"} == before
    shutil.rmtree(root / "theirs")
    (imported,) = find_unneeded(Store(root)).unneeded
    assert imported.folder.name.startswith("imported-")
    shutil.rmtree(root / "tiny")
    assert len(find_unneeded(Store(root)).unneeded) == 5
    assert read_json(imported.folder / "node.json")["kind"] == "imported"


@pytest.mark.real
def test_a_run_says_what_it_refers_to_under_the_lock_that_pruning_holds(
    finished_run: Path,
    tiny_recipe_file: Path,
    tmp_path: Path,
    wait_until_somebody_waits: Callable[[Path], None],
) -> None:
    store = Store(copied(finished_run.parent, tmp_path / "runs"))
    (dpo,) = store.nodes.glob("dpo-*")
    recipe = load_recipe(str(tiny_recipe_file), [], "again")
    with ThreadPoolExecutor(1) as pool:
        with store.lock():
            running = pool.submit(run_recipe, recipe, store.root)
            wait_until_somebody_waits(store.lock_file)
            assert not store.run("again").is_run()
            # what pruning may do while it holds the lock
            shutil.rmtree(dpo)
        done = running.result(timeout=300)
    # the run saw that it was gone, and trained it again
    assert done.started("train") == ["dpo"]
    assert (dpo / "stage.json").exists()
