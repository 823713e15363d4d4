"""What a check compares: a run, a report.json or a blessed baseline -> one stage's scores; and the
margins that count.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
    """Read a side of a check: a blessed baseline's name (where `baselines` says so), a run, or a
    file.

    Without `stage` it is the last one. Raises UsageError where there is no such thing, ValueError
    where it cannot be read.
    """
    if baselines is not None and (found := history(baselines, name)):
        return read_baseline(found[-1]).scores
    if Path(name).is_file():
        return _read_file(Path(name), stage)
    folder = run_folder(name, runs)
    if not folder.is_run():
        places = f"a run in {runs}, a report.json" + (
            "" if baselines is None else f" or a baseline in {baselines}"
        )
        raise UsageError(
            f"'{name}' is not {places}. `stagelift runs` and `stagelift baseline show` list what "
            "there is."
        )
    run = read_run(folder.path)
    open_ended = bool(run.chains) and not (
        run.lattice and not run.missing and len({c.seed for c in run.chains}) == 1
    )
    wanted = _pick([one.name for one in run.stages], stage, name, is_study=open_ended)
    return stage_scores(run.stages[wanted], run, run_passport(run), responses=responses)


def load_margins(
    written: Sequence[str], gates: Path | None, candidate: str, runs: Path
) -> list[Margin]:
    """Merge margins: the candidate's recipe, then a file of gates, then what was written.

    Empty where there are none.
    """
    recipe = run_folder(candidate, runs).recipe
    merged = {
        **_recipe_gates(recipe),
        **({} if gates is None else _gates_file(gates)),
        **dict(map(_margin, written)),
    }
    return read_margins(merged)


def run_folder(name: str, runs: Path) -> RunFolder:
    """Find a run by folder or name."""
    if RunFolder(Path(name)).is_run():
        return RunFolder(Path(name).resolve())
    return RunFolder(runs / name)


def _read_file(path: Path, stage: str | None) -> StageScores:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UsageError(f"{path} is not JSON: {error}.") from None
    if isinstance(content, dict) and "scores" in content:
        return read_baseline(path).scores
    if not isinstance(content, dict) or "stages" not in content:
        raise UsageError(f"{path} is neither a report.json nor a baseline of stagelift.")
    return _from_report(content, path, stage)


def _from_report(content: Mapping[str, Any], path: Path, stage: str | None) -> StageScores:
    if len(content["runs"]) != 1:
        raise UsageError(
            f"{path} is a report of {len(content['runs'])} runs. Report the one that is meant by "
            "itself."
        )
    names, chains = [one["name"] for one in content["stages"]], content["runs"][0].get("chains", [])
    whole_lattice = (
        bool(content.get("attribution")) and len({chain["seed"] for chain in chains}) == 1
    )
    found = content["stages"][
        _pick(names, stage, str(path), is_study=bool(chains) and not whole_lattice)
    ]
    if "scores" not in found:
        raise UsageError(
            f"{path} was written by an earlier stagelift, without scores by problem. Report the "
            "run again."
        )
    (run,) = content["runs"]
    return StageScores(
        run=run["name"],
        stage=found["name"],
        contract_id=run["contract_id"],
        contract=run["contract"],
        **found["scores"],
    )


def _pick(names: Sequence[str], wanted: str | None, where: str, *, is_study: bool) -> int:
    """Find a stage, the last one where none is named.

    A study has none that is last; a lattice has, the full chain.
    """
    if wanted is None and is_study:
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
