"""What a target of fuzzing is, and the laws that all of them share."""

import gc
import re
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import Result
from hypothesis import strategies as st
from typer.testing import CliRunner

from stagelift.harness.cli import app

# far above what any case needs on a busy machine
SECONDS_OF_A_CORE = 5.0
_LONGEST_SENTENCE = 4_000
# a sentence ends in a stop, asks what was meant, or ends in the command that helps
_ENDS = re.compile(r"[.?)]\s*$|(?:with|by): stagelift .+$")
# what a programmer says, and no user can act on
_NO_SENTENCE = re.compile(
    r"Traceback|errors\.pydantic\.dev|object has no attribute|unsupported operand|not subscriptable"
    r"|codec can't encode|broke off with|object is not|unhashable|takes \d+ positional"
)


@dataclass(frozen=True)
class Target:
    """Something that reads what comes from outside: cases, and the law that each must keep.

    The law gets a case and an empty folder, and raises AssertionError, or whatever the reader
    should not have raised. `slow` says that it is left to the benchmark.
    """

    name: str
    cases: st.SearchStrategy[Any]
    law: Callable[[Any, Path], None]
    slow: bool = False


def hold(target: Target, case: Any) -> None:
    """Try one case in a folder of its own, and look at the time that it took."""
    with tempfile.TemporaryDirectory() as name:
        before = time.process_time()
        try:
            target.law(case, Path(name))
        finally:
            # commands switch it off for their process
            gc.enable()
        seconds = time.process_time() - before
    assert seconds < SECONDS_OF_A_CORE, f"{target.name} took {seconds:.1f} seconds of a core"


def stagelift(*words: str) -> Result:
    """Run a command in this process. What it raises is raised: it is no answer to a user."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def assert_refused(done: Result) -> None:
    """Exit code 2 comes with one sentence, in one line."""
    assert done.exit_code == 2, f"exit code {done.exit_code}: {done.output}"
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and done.stderr.endswith(f"{errors[0]}\n"), done.stderr
    assert len(errors[0]) < _LONGEST_SENTENCE, f"{len(errors[0])} characters: {errors[0][:300]}"
    assert_sentence(errors[0].removeprefix("Error: "))


def assert_sentence(message: str) -> None:
    """A refusal says what is wrong, in a sentence that ends."""
    assert _ENDS.search(message) and " " in message, message
    assert not _NO_SENTENCE.search(message), message
