"""Rules of shape that matter enough to be tests."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = ["evals", "stages", "reports", "harness"]  # each may import those before it
# records, and what is a pure function of them
REPORTS_MAY_IMPORT = {
    "evals.records",
    "evals.stats",
    "evals.power",
    "evals.length_control",
    "evals.ranking",
    "evals.files",
    "evals.accuracy",
    "evals.length",
    "evals.winrate",
    "evals.judges.passport",
    "evals.preference_accuracy",
    "stages.records",
}


def imported_modules(file: Path) -> set[str]:
    tree = ast.parse(file.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


@pytest.mark.parametrize("layer", LAYERS)
def test_imports_point_down_only(layer: str) -> None:
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    for file in (ROOT / layer).rglob("*.py"):
        for module in imported_modules(file):
            assert module.split(".")[0] not in above, f"{file} imports {module}"


def test_reports_read_records_and_pure_functions_of_them_only() -> None:
    for file in (ROOT / "reports").rglob("*.py"):
        for module in imported_modules(file):
            if module.split(".")[0] in ("evals", "stages") and module.count("."):
                allowed = any(module == name or module.startswith(f"{name}.") for name in REPORTS_MAY_IMPORT)
                assert allowed, f"{file} imports {module}"


@pytest.mark.parametrize(
    "module",
    ["harness.cli", "reports.document", "reports.terminal", "reports.markdown", "evals.records", "harness.importing"],
)
def test_light_modules_do_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_module_says_what_it_is() -> None:
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("*.py"):
            assert ast.get_docstring(ast.parse(file.read_text())), f"{file} has no docstring"


def test_the_readme_lists_every_module() -> None:
    readme = (ROOT / "README.md").read_text()
    for layer in LAYERS:
        for file in (ROOT / layer).rglob("*.py"):
            if file.name not in ("__init__.py", "__main__.py"):
                assert file.name in readme, f"{file.relative_to(ROOT)} is missing in README's tree"
