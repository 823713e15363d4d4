from pathlib import Path

import pytest
import torch

from stagelift.evals.models import cpu
from stagelift.evals.models.cpu import LinearSpeed, Machine, linear_speed, this_machine

MACHINE = Machine(cpu="a CPU", torch="2.13.0", threads=2)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of what was measured on this machine."""
    folder = tmp_path_factory.mktemp("cache")
    linear_speed(folder)
    (path,) = folder.iterdir()
    return path


def read(path: Path) -> LinearSpeed:
    return LinearSpeed.model_validate_json(path.read_text())


def test_a_speed_is_kept_and_not_measured_again(kept: Path, tmp_path: Path) -> None:
    assert read(kept).machine == this_machine()
    other = read(kept).model_copy(update={"float32": 12.5})
    (tmp_path / kept.name).write_text(other.model_dump_json())
    assert linear_speed(tmp_path) == other


@pytest.mark.parametrize("damage", ["torn", "of another machine"])
def test_a_record_that_says_nothing_is_measured_again(
    kept: Path, tmp_path: Path, damage: str
) -> None:
    path = tmp_path / kept.name
    other = read(kept).model_copy(update={"machine": MACHINE}).model_dump_json()
    path.write_text(other if damage == "of another machine" else other[:40])
    assert linear_speed(tmp_path).machine == this_machine()
    assert read(path) == linear_speed(tmp_path)


def test_where_nothing_can_be_kept_it_is_measured_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    torch.manual_seed(3)
    state = torch.get_rng_state()
    assert linear_speed(tmp_path / "file").float32 > 0
    # the random numbers of a training stay as they were
    assert torch.equal(torch.get_rng_state(), state)


def test_the_number_of_threads_is_part_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert this_machine().threads == 3
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert this_machine().threads >= 1


def test_packed_layers_are_measured_where_torch_has_them(kept: Path) -> None:
    speed = read(kept)
    assert (speed.float32_packed is not None) == cpu.can_pack()
    assert speed.best_float32 >= speed.float32
    assert speed.best_bfloat16 >= speed.bfloat16
