"""The notebook of the documentation runs, and shows what it is committed with."""

from pathlib import Path

import nbformat
import pytest

from tests.notebook import NOTEBOOK, executed, outputs

pytestmark = pytest.mark.real


def test_the_notebook_runs_and_shows_what_is_committed(tmp_path: Path) -> None:
    committed = nbformat.read(NOTEBOOK, as_version=4)
    assert outputs(executed(tmp_path)) == outputs(committed), (
        "if that was meant: python -m tests.notebook"
    )
