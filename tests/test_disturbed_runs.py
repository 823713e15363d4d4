"""A run whose files, folders, clock or neighbours change while it works: real commands in processes
of their own. It waits, or says what is wrong, and the same command ends as if nobody had come.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.reports.folders import RunFolder
from tests.conftest import CHATML, environment, make_tiny_model
from tests.processes import finish, in_training, start, wait_for

pytestmark = pytest.mark.real

RECIPE = """
name: {name}
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 32}}
stages:
  - sft:
      args: {{max_steps: 2, per_device_train_batch_size: 2, learning_rate: 1e-2, save_steps: 1}}
  - dpo:
      args: {{max_steps: 40, per_device_train_batch_size: 2, learning_rate: 1e-3, save_steps: 1}}
evals:
  accuracy: {{task: schoolmath, limit: 8, held_out: 2, max_tokens: 8, batch_size: 4}}
"""
# what is the same bytes whenever it is made
SAME = ("adapter_model.safetensors", "node.json", "generations.jsonl", "scores.jsonl")
ENDED_WELL = "Open: "


class Place:
    """A folder with a model, recipes and runs, in which commands are given."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, folder / "runs"
        self.model = folder.parent / "model"
        for name in ("tiny", "other"):
            text = RECIPE.format(name=name, model=self.model.as_posix())
            (folder / f"{name}.yaml").write_text(text)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return start(*words, folder=self.folder)

    def begin(self) -> subprocess.Popen[str]:
        """Start the run, and return when its DPO has saved a step."""
        process = self.start("run", "tiny.yaml")
        wait_for(process, in_training(self.runs, "dpo", 2))
        return process

    def give(self, *words: str) -> tuple[int, str]:
        """Give a command, and return its exit code and what it said."""
        process = self.start(*words)
        said = finish(process)
        assert "Traceback" not in said, said
        return process.returncode, " ".join(said.split())

    def node(self, kind: str) -> Path:
        (node,) = self.runs.glob(f"nodes/{kind}-*")
        return node

    def bytes_of_nodes(self) -> dict[str, str]:
        """Hash what must be the same."""
        files = [file for file in (self.runs / "nodes").rglob("*") if file.name in SAME]
        return {
            file.relative_to(self.runs).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
            if "checkpoints" not in file.parts
        }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The undisturbed run."""
    folder = tmp_path_factory.mktemp("disturbed")
    make_tiny_model(folder / "model", CHATML)
    (folder / "whole").mkdir()
    place = Place(folder / "whole")
    code, said = place.give("run", "tiny.yaml")
    assert code == 0, said
    return place


@pytest.fixture
def place(whole: Place, tmp_path: Path) -> Place:
    """The same run, in which DPO is to be done yet."""
    # beside the whole one, as a recipe names its model by its path
    folder = whole.folder.parent / tmp_path.name
    folder.mkdir()
    shutil.copytree(whole.runs, folder / "runs")
    copied = Place(folder)
    shutil.rmtree(copied.node("dpo"))
    return copied


def ends_as(place: Place, whole: Place) -> None:
    """The same command goes on, and everything is there as nobody disturbed it."""
    code, said = place.give("run", "tiny.yaml")
    assert code == 0 and ENDED_WELL in said, said
    assert place.bytes_of_nodes() == whole.bytes_of_nodes()
    assert place.give("verify", "tiny")[0] == 0


def test_weights_that_are_replaced_in_a_training_are_named_and_put_back_it_goes_on(
    place: Place, whole: Place
) -> None:
    weights = place.model / "model.safetensors"
    kept = weights.read_bytes()
    running = place.begin()
    try:
        # in one step, as tools that download weights do: the old file stays mapped
        changed = place.model / "new"
        changed.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        changed.replace(weights)
        said = finish(running)
    finally:
        weights.write_bytes(kept)
    assert running.returncode in (1, 2) and "Go on with: " in said, said
    assert "other files" in said or "weights" in said
    ends_as(place, whole)


def test_a_parents_adapter_that_is_gone_in_a_training_is_named_and_put_back_it_goes_on(
    place: Place, whole: Place
) -> None:
    adapter = place.node("sft") / "adapter"
    running = place.begin()
    adapter.rename(place.folder / "adapter")
    said = finish(running)
    again = place.give("run", "tiny.yaml")
    (place.folder / "adapter").rename(adapter)
    assert running.returncode in (1, 2) and "Traceback" not in said, said
    assert "adapter" in said
    assert again[0] == 2 and "adapter" in again[1], again
    ends_as(place, whole)


def test_runs_that_are_deleted_while_a_stage_trains_are_named_and_made_again(
    place: Place, whole: Place
) -> None:
    running = place.begin()
    while place.runs.exists():
        # the worker may write while the folder goes
        shutil.rmtree(place.runs, ignore_errors=True)
        if running.poll() is not None:
            break
    said = finish(running)
    assert running.returncode in (1, 2, 70) and "Traceback" not in said, said
    # what the killed worker wrote last may be there
    code, again = place.give("run", "tiny.yaml")
    if code:
        assert code == 2 and "--repair" in again, again
        assert place.give("run", "tiny.yaml", "--repair")[0] == 0
    ends_as(place, whole)


@pytest.mark.parametrize(
    ("words", "codes"),
    [
        (("report", "tiny"), (0,)),
        (("rescore", "tiny"), (0, 2)),
        (("verify", "tiny"), (0, 1, 2)),
        (("prune", "--yes"), (0, 2)),
        (("delete", "tiny", "--yes", "--nodes"), (2,)),
        (("vote", "tiny", "--output", "page.html"), (0, 2)),
        (("plan", "tiny.yaml"), (0,)),
        (("runs",), (0,)),
    ],
    ids=lambda given: given[0] if isinstance(given[0], str) else "",
)
def test_a_command_beside_a_run_waits_or_is_told_and_takes_nothing_from_it(
    place: Place, whole: Place, words: tuple[str, ...], codes: tuple[int, ...]
) -> None:
    running = place.begin()
    code, said = place.give(*words)
    assert code in codes, said
    beside = finish(running)
    assert running.returncode == 0 and ENDED_WELL in beside, beside
    ends_as(place, whole)


def test_two_recipes_that_share_nodes_end_both_well(place: Place, whole: Place) -> None:
    first, second = place.start("run", "tiny.yaml"), place.start("run", "other.yaml")
    said = finish(first), finish(second)
    assert (first.returncode, second.returncode) == (0, 0), said
    ends_as(place, whole)
    assert place.give("verify", "other")[0] == 0
    assert RunFolder(place.runs / "other").path.is_dir()


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_clock_that_was_set_back_between_two_tries_changes_nothing(
    place: Place, whole: Place
) -> None:
    running = place.begin()
    running.kill()
    finish(running)
    said = at_another_time(place, "-3d")
    assert ENDED_WELL in said, said
    ends_as(place, whole)


@pytest.mark.skipif(shutil.which("faketime") is None, reason="faketime is not installed")
def test_a_clock_that_is_set_back_in_a_training_changes_nothing(place: Place, whole: Place) -> None:
    clock = place.folder / "clock"
    clock.write_text("+0")
    process = subprocess.Popen(
        [sys.executable, "-m", "stagelift", "run", "tiny.yaml"],
        cwd=place.folder,
        env=environment() | set_by(clock),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for(process, in_training(place.runs, "dpo", 2))
    clock.write_text("-90000")
    said = finish(process)
    assert process.returncode == 0 and "Traceback" not in said, said
    assert not negative_seconds(place)
    ends_as(place, whole)


def at_another_time(place: Place, when: str) -> str:
    done = subprocess.run(
        ["faketime", "-f", when, sys.executable, "-m", "stagelift", "run", "tiny.yaml"],
        cwd=place.folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def set_by(clock: Path) -> dict[str, str]:
    """Have processes read their clock's offset from a file at each look; durations stay true."""
    library = next(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def negative_seconds(place: Place) -> list[float]:
    """Return the negative seconds in what a stage has stored."""
    stored = json.loads((place.node("dpo") / "stage.json").read_text())
    return [value for name, value in stored.items() if "seconds" in name and value and value < 0]
