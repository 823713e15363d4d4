"""Every module with logic of its own is imported by a test."""

import ast
from pathlib import Path

import pytest

from tests.test_architecture import MODULES

TESTS = Path(__file__).resolve().parent
THROUGH_THE_COMMAND = "tests type the command"
ELSEWHERE = {
    "harness.__main__": "an address",
    "harness.agent": "an address",
    "harness.launched": "an address",
    "harness.worker": "an address",
    "evals.bundled": "an address",
    "stages.trainers": "built by the kinds of stage",
    "harness.commands.check": THROUGH_THE_COMMAND,
    "harness.commands.delete": THROUGH_THE_COMMAND,
    "harness.commands.export": THROUGH_THE_COMMAND,
    "harness.commands.judge": THROUGH_THE_COMMAND,
    "harness.commands.plan": THROUGH_THE_COMMAND,
    "harness.commands.prune": THROUGH_THE_COMMAND,
    "harness.commands.push": THROUGH_THE_COMMAND,
    "harness.commands.records": THROUGH_THE_COMMAND,
    "harness.commands.report": THROUGH_THE_COMMAND,
    "harness.commands.run": THROUGH_THE_COMMAND,
    "harness.commands.vote": THROUGH_THE_COMMAND,
    "harness.checks.checking": "every check is made by it, in test_check",
    "harness.checks.sources": "sides are found by it, in test_check",
    "harness.importing": "`stagelift import` in test_import",
    "harness.imports.measure": "`stagelift import` in test_import",
    "harness.imports.write": "`stagelift import` in test_import",
    "harness.judge_training": "`stagelift judge train` in test_reward_model",
    "harness.forecast.view": "`stagelift plan` in test_plan_command",
    "harness.quiet": "a table without logic",
    **{
        f"harness.trackers.{name}": "read back in test_trackers_read_back"
        for name in ("tensorboard", "mlflow", "wandb", "trackio")
    },
    "harness.graph.session": "what a run leaves in run.json, in test_run and test_session",
    "harness.graph.earlier": "nodes of earlier code are found in test_earlier_runs",
    "harness.workers.agent": "a process of its own, in test_workers",
    "harness.workers.launched": "a process of its own, in test_launcher",
    "harness.workers.packages": "a process of its own, in test_workers",
    "harness.workers.ray": "a cluster, in test_ray",
    "evals.imports.reader": "what every format is, in test_formats_recognised",
    "evals.lm_eval.columns": "tasks read their rows by it, in test_lm_tasks",
    "evals.lm_eval.configs": "tasks are found by it, in test_lm_tasks",
    "evals.evaluate": "every run is evaluated by it",
    "reports.plots.plot": "a record without logic",
    "reports.plots.accuracy": "drawn in test_plots",
    "reports.plots.lengths": "drawn in test_plots",
    "reports.plots.win_rates": "drawn in test_plots",
    "stages.checkpoints": "every training goes through it",
    "stages.keep": "what it keeps is selected among, in test_select",
    "stages.fit": "every training goes through it",
    "stages.adapter": "every training goes through it, the ill ones of test_ill_trainings, too",
    "stages.health.completions": "its signs are in test_health",
    "stages.health.logged": "every sign reads it",
    "stages.health.losses": "its sign is in test_health",
    "stages.health.numbers": "its signs are in test_health",
    "stages.health.preferences": "its sign is in test_health",
    "stages.health.sign": "every sign is one",
    "stages.dpo": "trained in test_lora",
    "stages.grpo": "trained in every finished run",
}


def imported_by_tests() -> set[str]:
    names: set[str] = set()
    for file in TESTS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name for alias in node.names}
            if isinstance(node, ast.ImportFrom) and node.module:
                names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("stagelift.") for name in names}


IMPORTED = imported_by_tests()


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_imported_by_a_test_or_said_to_be_tested_elsewhere(module: str) -> None:
    is_a_folder = MODULES[module].name == "__init__.py"
    assert module in IMPORTED or module in ELSEWHERE or is_a_folder


@pytest.mark.parametrize("module", ELSEWHERE)
def test_an_exception_is_a_module_that_no_test_imports(module: str) -> None:
    assert module in MODULES and module not in IMPORTED
