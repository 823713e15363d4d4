"""How commands that report end: which page to open, where the adapters lie, and what comes next."""

import shlex
from collections.abc import Iterator
from pathlib import Path

from stagelift.evals.printed import one_line
from stagelift.reports.folders import RunFolder
from stagelift.reports.records import RunRecord

# adapters that are named; `stagelift runs` and the page name all
_MOST = 3


def closing_lines(folder: RunFolder, run: RunRecord) -> list[str]:
    """Return the lines: harmless, as names of runs and stages are of others."""
    lines = [_page(folder), *_adapters(folder.runs.root, run), *_next(folder)]
    return [one_line(line) for line in lines]


def _page(folder: RunFolder) -> str:
    page = folder.report("html")
    if page.is_file():
        return f"Open: {page}"
    return f"For a page: {_command(folder, 'report', '--output', page.name)}"


def _adapters(root: Path, run: RunRecord) -> Iterator[str]:
    kept = [stage for stage in run.stages if stage.adapter is not None]
    # the last ones, which a chain is trained for
    named = kept if len(kept) <= _MOST else kept[1 - _MOST :]
    for stage in named:
        yield f"Adapter of {stage.name}: {root / str(stage.adapter)}"
    if len(named) < len(kept):
        yield f"{len(kept) - len(named)} more adapters: the page's provenance names them all."


def _next(folder: RunFolder) -> Iterator[str]:
    yield f"All of it: {_command(folder, 'report', '--full')}"
    yield f"As a gate: {_command(folder, 'check', '--baseline', 'EARLIER')}"
    yield f"For others: {_command(folder, 'export', 'DIR', '--format', 'lm-eval')}"


def _command(folder: RunFolder, command: str, *more: str) -> str:
    return shlex.join(["stagelift", command, folder.name, *more, *folder.runs.option])
