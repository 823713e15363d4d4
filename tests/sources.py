"""The project's own Python files, for the tests that read code."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# each may import those before it
LAYERS = ["evals", "stages", "reports", "harness"]


def _modules() -> dict[str, Path]:
    files = [file for layer in LAYERS for file in (ROOT / layer).rglob("*.py")]
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files]
    return {name.removesuffix(".__init__"): file for name, file in zip(names, files, strict=True)}


# every module of the product by its name below `stagelift.`
MODULES = _modules()


def every_file() -> list[Path]:
    """List the product's files, the action, the benchmarks and the tests (without their data)."""
    folders = (ROOT / "tests", ROOT / "tests" / "fuzz")
    tests = [file for folder in folders for file in folder.glob("*.py")]
    others = [*(ROOT / "action").glob("*.py"), *(ROOT / "benchmarks").rglob("*.py"), *tests]
    return sorted([*MODULES.values(), *(ROOT / "stagelift").glob("*.py"), *others])


@cache
def syntax(file: Path) -> ast.Module:
    """Parse a file, once."""
    return ast.parse(file.read_text(encoding="utf-8"))


def place(file: Path, line: int) -> str:
    """Write a line's address, as editors open it."""
    return f"{file.relative_to(ROOT).as_posix()}:{line}"
