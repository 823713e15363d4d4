"""What a check compares: a run, a report.json or a blessed baseline -> one stage's scores.

And the margins that count.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from stagelift.harness.checks.baselines import history, read_baseline
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.yaml_text import read_yaml_file
from stagelift.reports.folders import RunFolder
from stagelift.reports.gates.margins import Margin, read_margins
from stagelift.reports.gates.scores import StageScores, stage_scores
from stagelift.reports.numbers.passports import run_passport
from stagelift.reports.records import read_run


def load_scores(
    name: str,
    runs: Path,
    stage: str | None,
    *,
    baselines: Path | None = None,
    responses: bool = False,
) -> StageScores:
    """Read one side of a check: a blessed baseline (if `baselines` is given), a file, or a run.

    Without `stage` it is the last one. Raises UsageError where there is no such thing, ValueError
    where it cannot be read.
    """
    blessed = [] if baselines is None else history(baselines, name)
    if blessed:
        return read_baseline(blessed[-1]).scores
    if Path(name).is_file():
        return _read_file(Path(name), stage)
    folder = run_folder(name, runs)
    if not folder.is_run():
        raise _no_such_side(name, runs, baselines)
    run = read_run(folder.path)
    names = [record.name for record in run.stages]
    seeds = {chain.seed for chain in run.chains}
    whole_lattice = run.lattice and not run.missing and len(seeds) == 1
    place = _place(names, stage, name, has_last=not run.chains or whole_lattice)
    return stage_scores(run.stages[place], run, run_passport(run), responses=responses)


def load_margins(
    written: Sequence[str], gates: Path | None, candidate: str, runs: Path
) -> list[Margin]:
    """Merge margins: the candidate's recipe, then a file of gates, then what was written.

    Empty where there are none.
    """
    margins = _recipe_gates(run_folder(candidate, runs).recipe)
    if gates is not None:
        margins.update(_gates_file(gates))
    margins.update(_margin(text) for text in written)
    return read_margins(margins)


def run_folder(name: str, runs: Path) -> RunFolder:
    """Find a run by folder or name."""
    if RunFolder(Path(name)).is_run():
        return RunFolder(Path(name).resolve())
    return RunFolder(runs / name)


def _no_such_side(name: str, runs: Path, baselines: Path | None) -> UsageError:
    places = f"a run in {runs}, a report.json"
    if baselines is not None:
        places += f" or a baseline in {baselines}"
    return UsageError(
        f"'{name}' is not {places}. `stagelift runs` and `stagelift baseline show` list what "
        "there is."
    )


def _read_file(path: Path, stage: str | None) -> StageScores:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON: {error}.") from None
    if isinstance(content, dict) and "scores" in content:
        return read_baseline(path).scores
    if not isinstance(content, dict) or "stages" not in content:
        raise UsageError(f"{path} is neither a report.json nor a baseline of stagelift.")
    try:
        return _reported_scores(_Report.model_validate(content), path, stage)
    except ValidationError as error:
        place = ".".join(map(str, error.errors()[0]["loc"]))
        raise UsageError(
            f"{path} is no whole report of stagelift: {place} is missing or is not what it should "
            "be. Report the run again."
        ) from error


class _Chain(BaseModel):
    seed: int


class _Run(BaseModel):
    name: str
    contract_id: str
    contract: dict[str, Any]
    chains: list[_Chain] = []


class _Stage(BaseModel):
    name: str
    scores: dict[str, Any] | None = None


class _Report(BaseModel):
    """What a check reads of a report.json."""

    runs: list[_Run]
    stages: list[_Stage] = Field(min_length=1)
    attribution: list[Any] = []


def _reported_scores(report: _Report, path: Path, stage: str | None) -> StageScores:
    if len(report.runs) != 1:
        raise UsageError(
            f"{path} is a report of {len(report.runs)} runs. Report the one that is meant by "
            "itself."
        )
    (run,) = report.runs
    names = [record.name for record in report.stages]
    seeds = {chain.seed for chain in run.chains}
    whole_lattice = bool(report.attribution) and len(seeds) == 1
    place = _place(names, stage, str(path), has_last=not run.chains or whole_lattice)
    record = report.stages[place]
    if record.scores is None:
        raise UsageError(
            f"{path} was written by an earlier stagelift, without scores by problem. Report the "
            "run again."
        )
    of_the_run = {
        "run": run.name,
        "stage": record.name,
        "contract_id": run.contract_id,
        "contract": run.contract,
    }
    return StageScores.model_validate(record.scores | of_the_run)


def _place(names: Sequence[str], wanted: str | None, where: str, *, has_last: bool) -> int:
    """Find a stage by name, the last one where none is named.

    A study has none that is last; a lattice has, the full chain.
    """
    if wanted is None and not has_last:
        raise UsageError(
            f"'{where}' has several chains, so name the stage that is meant. It has: "
            f"{', '.join(names)}."
        )
    if wanted is None:
        return len(names) - 1
    if wanted not in names:
        raise UsageError(f"'{where}' has no stage '{wanted}'. It has: {', '.join(names)}.")
    return names.index(wanted)


def _margin(text: str) -> tuple[str, str]:
    metric, equals, size = text.partition("=")
    if not equals:
        raise UsageError(f"--margin {text!r} has no value. Write it as accuracy=2.")
    return metric.strip(), size.strip()


def _gates_file(path: Path) -> dict[str, object]:
    if not path.exists():
        raise UsageError(f"--gates {path} does not exist.")
    if not path.is_file():
        raise UsageError(f"--gates {path} is not a file.")
    content = read_yaml_file(path, str(path))
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds no gates. Write one metric a line, such as `accuracy: 2`.")
    return _gates_in(content.get("gates", content), path)


def _recipe_gates(recipe: Path) -> dict[str, object]:
    if not recipe.is_file():
        return {}
    content = read_yaml_file(recipe, str(recipe))
    if not isinstance(content, dict):
        raise UsageError(f"{recipe} is not a recipe: expected keys such as name, model and stages.")
    return _gates_in(content.get("gates"), recipe)


def _gates_in(section: object, path: Path) -> dict[str, object]:
    if section is None:
        return {}
    if not isinstance(section, dict):
        raise UsageError(f"The gates in {path} are {section!r}. Write them as {{accuracy: 2}}.")
    return section
