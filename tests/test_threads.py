import sys
from pathlib import Path

import pytest

from stagelift.harness.workers.threads import waiting_threads
from tests.conftest import environment, run_to_end


def test_threads_stop_spinning_unless_the_user_said_how_they_wait() -> None:
    assert waiting_threads({}) == {"GOMP_SPINCOUNT": "1000"}
    assert waiting_threads({"GOMP_SPINCOUNT": "5"}) == {}
    assert waiting_threads({"OMP_WAIT_POLICY": "ACTIVE"}) == {}


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="torch brings libgomp on Linux only")
@pytest.mark.parametrize(("said", "turns"), [({}, "1000"), ({"GOMP_SPINCOUNT": "77"}, "77")])
def test_torch_in_a_worker_reads_it(
    said: dict[str, str], turns: str, tiny_model: Path, tiny_recipe: Path, tmp_path: Path
) -> None:
    """libgomp prints what it read from the environment as torch loads it."""
    words = ["evaluate", str(tiny_model), "--recipe", str(tiny_recipe), "--name", "spins"]
    command = [sys.executable, "-m", "stagelift", *words, "--set", "evals.accuracy.limit=2"]
    run_to_end(command, tmp_path, environment() | said | {"OMP_DISPLAY_ENV": "VERBOSE"})
    (log,) = (tmp_path / "runs").rglob("evaluate*.log")
    assert f"GOMP_SPINCOUNT = '{turns}'" in log.read_text()
