"""What docs/extending.md adds works: its diffs are applied to a copy, and a run made with it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stagelift.reports.folders import RunFolder
from tests.conftest import environment, run_to_end
from tests.test_installed import copy_of_checkout
from tests.workflow_steps import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
DIFFS = re.findall(r"```diff\n(.*?)```", PAGE, re.DOTALL)
RECIPE = """
name: extended
model: {{path: "{model}", dtype: float32}}
lora: {{r: 4, target_modules: [q_proj, v_proj]}}
data: {{path: bundled/schoolmath, limit: 32}}
stages:
  - pretrain: {{args: {{max_steps: 2, per_device_train_batch_size: 2}}}}
evals:
  engine: one_by_one
  accuracy: {{limit: 8, held_out: 0, max_tokens: 8}}
  preference: {{judge: stated, prompts: null}}
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout with all of the page's diffs."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("extended") / "stagelift", links=True)
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "architecture.md", folder / "docs")
    # not a part of the repository that it may lie in
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    for diff in DIFFS:
        command = ["git", "apply", "--whitespace=error-all"]
        subprocess.run(command, cwd=folder, input=diff, text=True, check=True)
    return folder


def test_every_diff_applies_and_its_modules_are_in_the_document(extended: Path) -> None:
    assert len(DIFFS) == 4
    added = re.findall(r"^--- /dev/null\n\+\+\+ b/(\S+)", "".join(DIFFS), re.MULTILINE)
    document = (extended / "docs" / "architecture.md").read_text()
    assert len(added) == 3
    for module in added:
        assert (extended / module).is_file()
        assert f"\n  {Path(module).name} " in document


@pytest.mark.real
def test_a_tiny_run_has_the_metric_the_judge_the_stage_and_the_engine(
    extended: Path, tiny_model: Path, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text(RECIPE.format(model=tiny_model.as_posix()))
    stagelift = [sys.executable, "-m", "stagelift"]
    run_to_end([*stagelift, "run", "recipe.yaml"], tmp_path, in_copy(extended))
    page = (tmp_path / "runs" / "extended" / "report.md").read_text()
    assert "**answered**" in page and "a number could be read" in page
    assert "pretrain added" in page
    contract = RunFolder(tmp_path / "runs" / "extended").path / "report.json"
    assert '"one-by-one-1"' in contract.read_text() and '"stated-1"' in contract.read_text()
    assert list((tmp_path / "runs" / "nodes").glob("pretrain-*/adapter/adapter_config.json"))
    # and as a gate
    blessed = [*stagelift, "baseline", "set", "extended", "--margin", "answered=5"]
    run_to_end(blessed, tmp_path, in_copy(extended))


def in_copy(folder: Path) -> dict[str, str]:
    """Return the environment in which the copy is what is imported."""
    return {**environment(), "PYTHONPATH": os.fspath(folder)}
