"""The plumbing of worker processes: what they are told, what they say, and that they end with the
process that started them.
"""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.harness.workers.events import emit, step_events
from stagelift.stages.ledger import LoggedStep
from tests.conftest import environment

ROOT = Path(__file__).resolve().parent.parent


def test_an_event_is_one_line_that_is_there_at_once() -> None:
    events = io.StringIO()
    emit(events, event="evaluating", what="gold\npairs", done=0)
    emit(events, event="done")
    first, second = map(json.loads, events.getvalue().splitlines())
    assert first == {"event": "evaluating", "what": "gold\npairs", "done": 0}
    assert second == {"event": "done"}


def test_a_step_shows_the_numbers_that_a_reader_follows() -> None:
    events = io.StringIO()
    logs = {"loss": 0.5, "learning_rate": 1e-4, "reward": 0.25}
    step_events(events)(LoggedStep(step=3, steps=12, logs=logs, signs=[], stop=None))
    assert json.loads(events.getvalue()) == {
        "event": "training",
        "step": 3,
        "steps": 12,
        "loss": 0.5,
        "reward": 0.25,
    }


PRINTS = """
import os, sys
from pathlib import Path
from stagelift.harness.workers.events import emit, events_apart_from_prints
events = events_apart_from_prints(Path(sys.argv[1]))
print("a library prints")
sys.stderr.write("and warns\\n")
sys.stdout.flush()
os.system("echo and starts something that prints")
emit(events, event="done")
"""


def test_what_libraries_print_goes_to_the_log_and_events_go_out(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    command = [sys.executable, "-c", PRINTS, str(log)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ('{"event": "done"}\n', "")
    assert sorted(log.read_text().splitlines()) == [
        "a library prints",
        "and starts something that prints",
        "and warns",
    ]


WAITS = """
import threading
from stagelift.harness.workers.events import end_with_standard_input
threading.Thread(target=end_with_standard_input, daemon=True).start()
print("started", flush=True)
threading.Event().wait()
"""


def test_a_worker_ends_when_its_standard_input_closes() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WAITS],
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "started\n"
    process.stdin.close()
    assert process.wait(timeout=30) == 1


PROGRAM = """
import sys, threading
print(__name__, sys.argv[1:], flush=True)
if "wait" in sys.argv:
    threading.Event().wait()
"""


def test_an_agent_runs_a_module_with_its_arguments_and_ends_with_standard_input(
    tmp_path: Path,
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    variables = environment()
    variables["PYTHONPATH"] += os.pathsep + str(tmp_path)

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "stagelift.harness.agent", "program", *arguments]
        return subprocess.Popen(
            command, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    quick, endless = start("--n", "2"), start("wait")
    assert quick.stdout is not None and endless.stdout is not None and endless.stdin is not None
    assert quick.stdout.readline() == "__main__ ['--n', '2']\n"
    assert quick.wait(timeout=30) == 0
    assert endless.stdout.readline() == "__main__ ['wait']\n"
    endless.stdin.close()
    assert endless.wait(timeout=30) == 1


PYTHON_PATH = "from stagelift.harness.workers.packages import python_path; print(python_path())"


@pytest.mark.parametrize(
    ("options", "inherited", "told"),
    [
        ([], "theirs", os.pathsep.join([str(ROOT), "theirs"])),
        ([], "", str(ROOT)),
        # nothing was found in the working folder: what is inherited is where it was found
        (["-P"], str(ROOT), str(ROOT)),
    ],
)
def test_workers_are_told_of_a_checkout_that_runs_here(
    options: list[str], inherited: str, told: str
) -> None:
    command = [sys.executable, *options, "-c", PYTHON_PATH]
    variables = environment() | {"PYTHONPATH": inherited}
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{told}\n"
