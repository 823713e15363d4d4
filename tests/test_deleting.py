"""`stagelift delete` and `stagelift runs`: what goes, what stays, and what a broken run says."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from stagelift.harness.cli import app
from stagelift.harness.deleting import deletable, delete_run
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import Store, lock_run
from stagelift.harness.listing import listed_runs
from tests.stored import make_run_file
from tests.test_prune import BASE, DPO, OTHER, SFT, write_node


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two runs on one base, which share a stage."""
    store = Store(tmp_path / "runs")
    for name, parent in ((BASE, None), (SFT, BASE), (DPO, SFT), (OTHER, BASE)):
        write_node(store.root, name, parent)
    store.run("mine").write(make_run_file([BASE, SFT, DPO], name="mine"))
    store.run("yours").write(make_run_file([BASE, SFT, OTHER], name="yours"))
    return store


@pytest.fixture
def stagelift(store: Store) -> Callable[..., Result]:
    return lambda *words: CliRunner().invoke(app, [*words, "--runs", str(store.root)])


def test_without_a_terminal_it_only_says_how(
    stagelift: Callable[..., Result], store: Store
) -> None:
    said = stagelift("delete", "mine")
    assert "Nothing was deleted. Delete it with: stagelift delete mine" in said.output
    assert store.run("mine").is_run() and said.exit_code == 0


def test_a_run_goes_and_its_nodes_are_named(stagelift: Callable[..., Result], store: Store) -> None:
    said = stagelift("delete", "mine", "--yes")
    assert not store.run("mine").path.exists() and store.run("yours").is_run()
    assert f"No run needs these nodes any more (1.0 MB): {DPO}." in said.output
    assert store.node(DPO).path.exists()


def test_its_nodes_go_too_where_that_is_asked_for(
    stagelift: Callable[..., Result], store: Store
) -> None:
    stagelift("delete", "mine", "--yes", "--nodes")
    assert not store.node(DPO).path.exists()
    assert all(store.node(name).path.exists() for name in (BASE, SFT, OTHER))


@pytest.mark.parametrize("name", ["..", ".", "nodes", "judges", "", "../runs/mine", ".deleted-x"])
def test_what_is_no_name_of_a_run_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a run"):
        deletable(name, store)


def test_links_and_folders_that_are_no_run_stay(store: Store, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (store.root / "link").symlink_to(tmp_path / "thesis")
    (store.root / "notes").mkdir()
    with pytest.raises(UsageError, match="is a symbolic link"):
        deletable("link", store)
    with pytest.raises(UsageError, match="is not a run"):
        deletable("notes", store)


def test_links_in_a_run_are_not_followed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    (store.run("mine").path / "link").symlink_to(tmp_path)
    delete_run(deletable("mine", store), store)
    assert (tmp_path / "thesis.tex").exists()


def test_a_run_that_is_written_is_not_deleted(store: Store) -> None:
    folder = deletable("mine", store)
    with lock_run(folder), pytest.raises(UsageError, match="is writing"):
        delete_run(folder, store)
    assert folder.is_run()


def test_a_deletion_that_was_killed_is_continued(store: Store) -> None:
    folder = store.run("mine")
    folder.path.rename(store.root / ".deleted-mine")
    delete_run(deletable("mine", store), store)
    assert not (store.root / ".deleted-mine").exists()


@pytest.mark.parametrize("content", [b"", b'{"name": "mi', b"[]", b"\xff\x00\xfe", b"[" * 100_000])
def test_a_broken_run_is_listed_beside_the_others_and_can_be_deleted(
    stagelift: Callable[..., Result], store: Store, content: bytes
) -> None:
    store.run("mine").file.write_bytes(content)
    said = stagelift("runs")
    assert said.exit_code == 0 and "cannot be read" in said.output and "yours" in said.output
    gone = stagelift("delete", "mine", "--yes")
    assert gone.exit_code == 0 and not store.run("mine").path.exists()


def test_a_run_whose_file_is_a_folder_or_leads_nowhere_is_listed(store: Store) -> None:
    store.run("mine").file.unlink()
    store.run("mine").file.mkdir()
    store.run("yours").file.unlink()
    store.run("yours").file.symlink_to("nowhere")
    assert [run.problem for run in listed_runs(store.root)] == ["cannot be read"] * 2


def test_sizes_say_what_a_run_shares(store: Store) -> None:
    mine = listed_runs(store.root)[0]
    assert 1_000_000 < mine.own_bytes < 1_010_000
    assert 2_000_000 < mine.shared_bytes < 2_010_000
    assert mine.worked_on.startswith("20")


def test_runs_in_a_file_are_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = CliRunner().invoke(app, ["runs", "--runs", str(tmp_path / "file")])
    assert said.exit_code == 2 and "is a file, so runs cannot lie in it" in said.output
