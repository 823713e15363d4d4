"""What a shell offers behind a command: shipped recipes, YAML files, and the names of runs."""

import os
from pathlib import Path

import typer


def recipes(incomplete: str) -> list[str]:
    """Return the shipped recipes and the YAML files that begin so, and folders to look in."""
    from stagelift.harness.recipes.read import shipped_recipes

    return [
        name for name in [*shipped_recipes(), *_files(incomplete)] if name.startswith(incomplete)
    ]


def run_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the runs that begin so, in the folder that --runs names."""
    from stagelift.reports.folders import RunsFolder

    root = Path(ctx.params.get("runs") or "runs")
    return [run.name for run in RunsFolder(root).runs() if run.name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    """Return YAML files and folders of the folder that is named so far."""
    named = incomplete.rpartition("/")[0] + "/" if "/" in incomplete else ""
    try:
        found = sorted(os.scandir(named or "."), key=lambda entry: entry.name)
    except OSError:
        return []
    folders = [f"{named}{entry.name}/" for entry in found if entry.is_dir()]
    files = [f"{named}{entry.name}" for entry in found if entry.name.endswith((".yaml", ".yml"))]
    return folders + files
