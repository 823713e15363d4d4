"""What did each post-training stage add? TRL trains, and after every stage it is measured.

The one name that is installed. Its packages lie at the top of the repository, and links here lead
to them. What it offers (`run`, `evaluate`, `load`, `check`) is imported when it is first used, so
that `import stagelift` waits for nothing.
"""

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stagelift.harness.api import check, evaluate, load, run
    from stagelift.harness.checks.decision import Decision
    from stagelift.harness.errors import StageliftError, UsageError
    from stagelift.harness.results import Results

__all__ = [
    "Decision",
    "Results",
    "StageliftError",
    "UsageError",
    "check",
    "evaluate",
    "load",
    "run",
]

_MODULES = {
    "Decision": "stagelift.harness.checks.decision",
    "Results": "stagelift.harness.results",
    "StageliftError": "stagelift.harness.errors",
    "UsageError": "stagelift.harness.errors",
    "check": "stagelift.harness.api",
    "evaluate": "stagelift.harness.api",
    "load": "stagelift.harness.api",
    "run": "stagelift.harness.api",
}

_here = Path(__file__).parent
if not (_here / "harness").is_dir():
    # a checkout without links, as git makes them on Windows
    __path__.append(str(_here.parent))


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'stagelift' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
