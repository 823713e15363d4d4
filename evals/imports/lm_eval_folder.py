"""lm-eval's output folders: all tasks in the folder of a model are one stage.

Since 0.4.3 there are `samples_<task>_<time>.jsonl` and `results_<time>.json` in a folder for each
model; before, `results.json` and `<model arguments>_<task>.jsonl`. The results say what the model
is called, which direction of a metric is better, and what lm-eval printed, so that is checked.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from stagelift.evals.imports.lm_eval import read_samples
from stagelift.evals.imports.lm_eval_row import UNNAMED
from stagelift.evals.imports.measured import number_of
from stagelift.evals.imports.objects import read_object
from stagelift.evals.imports.published import differences, is_rounded
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, ImportedStage
from stagelift.evals.imports.seen import Seen
from stagelift.evals.lm_eval.names import metric_name
from stagelift.evals.metrics.measures import directed, parted
from stagelift.evals.records import TaskScore

_SAMPLES = re.compile(r"samples_(?P<task>.+)_(?P<time>\d{4}-\d\d-\d\dT[\d.:_-]+?)\.jsonl?(\.gz)?")
_RESULTS = "results*.json"
_OF_FIRST_VERSIONS = "results.json"
_PRETRAINED = re.compile(r"(?:^|,)pretrained=([^,]+)")


class _Samples(NamedTuple):
    """A file of samples in a folder, and the results that were written with it ({}: none)."""

    file: Path
    task: str
    results: dict[str, Any]


def read_lm_eval(path: Path) -> Imported:
    """Read a file of samples, or the folder of one model.

    Raises ValueError where a file is malformed, or there are two of one task.
    """
    if path.is_file():
        return read_samples(path)
    tasks = _tasks_of(path)
    parts = {task: _read(samples, alone=len(tasks) == 1) for task, samples in tasks.items()}
    stage = _joined(_model(path, list(tasks.values())), parts)
    contract = {
        "task": ", ".join(parts),
        "data": {task: part.contract["data"] for task, part in parts.items()},
    }
    if len(parts) == 1:
        # as of the file alone
        (contract,) = (part.contract for part in parts.values())
    notes = [note for part in parts.values() for note in part.notes]
    notes += _notes(stage, tasks)
    return Imported([stage], stage.name, contract, tuple(dict.fromkeys(notes)))


def place_of(folder: Path) -> int | None:
    """Say which stage of its run a folder is that we exported; None of any other."""
    for file in sorted(folder.glob(_RESULTS)):
        results = read_object(file)
        config = results.get("config")
        arguments = config.get("model_args") if isinstance(config, dict) else None
        place = arguments.get("place") if isinstance(arguments, dict) else None
        if results.get("model_source") == "stagelift" and type(place) is int:
            return place
    return None


def _tasks_of(folder: Path) -> dict[str, _Samples]:
    """Find the files of samples, by task."""
    tasks: dict[str, _Samples] = {}
    for file in sorted(folder.iterdir()):
        samples = _samples(file)
        if samples is None:
            continue
        if samples.task in tasks:
            raise ValueError(
                f"{tasks[samples.task].file} and {file} are both of task '{samples.task}', so "
                "nothing was imported. Give each run a folder of its own, or name the files one by "
                "one (base=FILE sft=FILE)."
            )
        tasks[samples.task] = samples
    if not tasks:
        raise ValueError(
            f"{folder} holds no samples_*.jsonl, so there is nothing to import. lm-eval writes "
            "them with --log_samples."
        )
    return dict(sorted(tasks.items()))


def _samples(file: Path) -> _Samples | None:
    """Say which task a file is of; None where it is no file of samples."""
    match = _SAMPLES.fullmatch(file.name)
    if match:
        return _Samples(file, match["task"], _results(file.parent, match["time"]))
    first = file.parent / _OF_FIRST_VERSIONS
    if file.suffix != ".jsonl" or not first.is_file():
        return None
    results = read_object(first)
    # the name starts with the model's arguments: the task is the longest name that it can end in
    tasks = [task for task in _tasks(results) if file.stem.endswith(f"_{task}")]
    return _Samples(file, max(tasks, key=len), results) if tasks else None


def _results(folder: Path, time: str) -> dict[str, Any]:
    """Read the results of this time; or the only ones, where other names were given."""
    files = sorted(folder.glob(_RESULTS))
    of_time = [file for file in files if file.stem.endswith(time)]
    chosen = of_time or (files if len(files) == 1 else [])
    return read_object(chosen[0]) if chosen else {}


def _tasks(results: Mapping[str, Any]) -> Mapping[str, Any]:
    tasks = results.get("results")
    return tasks if isinstance(tasks, dict) else {}


def _model(folder: Path, samples: list[_Samples]) -> str:
    """Name the model: as the results do, else by its folder."""
    names = {name for of in samples if (name := _named(of.results)) is not None}
    if len(names) > 1:
        raise ValueError(
            f"{folder} holds samples of several models ({', '.join(sorted(names))}), so nothing "
            "was imported. Give each model's files a folder of their own."
        )
    return next(iter(names), folder.resolve().name)


def _named(results: Mapping[str, Any]) -> str | None:
    name = results.get("model_name")
    if isinstance(name, str) and name:
        return name
    config = results.get("config")
    arguments = config.get("model_args") if isinstance(config, dict) else None
    if isinstance(arguments, dict):
        arguments = ",".join(f"{key}={value}" for key, value in arguments.items())
    match = _PRETRAINED.search(arguments) if isinstance(arguments, str) else None
    return match[1] if match else None


def _read(samples: _Samples, *, alone: bool) -> Imported:
    imported = read_samples(samples.file, samples.task, alone=alone)
    counts = samples.results.get("n-samples")
    asked = counts.get(samples.task) if isinstance(counts, dict) else None
    effective = asked.get("effective") if isinstance(asked, dict) else None
    held = len(imported.contract["data"])
    imported = imported._replace(
        stages=[_named_as_printed(stage, samples) for stage in imported.stages]
    )
    if not isinstance(effective, int) or effective == held:
        return imported
    note = f"lm-eval asked {effective} documents of '{samples.task}', and {held} are in the file"
    return imported._replace(notes=(*imported.notes, note))


def _named_as_printed(stage: ImportedStage, samples: _Samples) -> ImportedStage:
    """Name metrics by the filters and directions that lm-eval's results give."""
    scores = stage.task_scores.get(samples.task, [])
    filters = _filters(scores, samples)
    named = [
        score.model_copy(
            update={"metric": _by_direction(filters.get(score.metric, score.metric), samples)}
        )
        for score in scores
    ]
    return stage._replace(task_scores={samples.task: named} if named else {})


def _filters(scores: Sequence[TaskScore], samples: _Samples) -> dict[str, str]:
    """Say which filters the numbered ones of before 0.4.7 are: as the results list them, where
    every mean is what they say.
    """
    numbered: dict[str, dict[str, list[float]]] = {}
    for score in scores:
        metric, filtered = parted(score.metric)
        if filtered.startswith(UNNAMED):
            numbered.setdefault(metric, {}).setdefault(score.metric, []).append(score.value)
    names: dict[str, str] = {}
    for metric, by_filter in numbered.items():
        printed = [
            (name, value) for name, value in _printed(samples).items() if parted(name)[0] == metric
        ]
        means = [fmean(by_filter[name]) for name in sorted(by_filter)]
        if len(means) == len(printed) and all(
            is_rounded(mean, value) for mean, (_, value) in zip(means, printed, strict=True)
        ):
            names |= dict(zip(sorted(by_filter), (name for name, _ in printed), strict=True))
    return names


def _by_direction(name: str, samples: _Samples) -> str:
    """Name a metric by the direction that the results give, where its name does not say it."""
    by_task = samples.results.get("higher_is_better")
    directions = by_task.get(samples.task) if isinstance(by_task, dict) else None
    metric = name.removeprefix(f"{samples.task}/")
    higher = directions.get(parted(metric)[0]) if isinstance(directions, dict) else None
    if not isinstance(higher, bool):
        return name
    return f"{samples.task}/{directed(metric, 'more' if higher else 'less')}"


def _joined(model: str, parts: Mapping[str, Imported]) -> ImportedStage:
    """Join the tasks of a model."""
    stages = [stage for part in parts.values() for stage in part.stages]
    return ImportedStage(
        name=model,
        generations=[row for stage in stages for row in stage.generations],
        scores=[row for stage in stages for row in stage.scores],
        verdicts=[],
        task_scores={
            task: scores for stage in stages for task, scores in stage.task_scores.items()
        },
        documents={name: of for stage in stages for name, of in stage.documents.items()},
        stated=frozenset().union(*(stage.stated for stage in stages)),
        undecided={task: of for stage in stages for task, of in stage.undecided.items()},
    )


def _notes(stage: ImportedStage, tasks: Mapping[str, _Samples]) -> list[str]:
    """Say where lm-eval printed something else, and which of its tasks have no samples."""
    notes = []
    for samples in tasks.values():
        printed = _printed(samples)
        notes += differences("lm-eval", printed, stage.task_scores)
    printed_tasks = {task for samples in tasks.values() for task in _leaves(samples.results)}
    missing = sorted(printed_tasks - tasks.keys())
    if missing:
        notes.append(
            f"lm-eval printed results of {', '.join(missing)}, of which there are no samples: they "
            "are left out"
        )
    if len(tasks) > 1 and any(score.correct is not None for score in stage.scores):
        notes.append(
            "accuracy is over the documents of all tasks whose targets are numbers, each document "
            "counting once"
        )
    return notes


def _leaves(results: Mapping[str, Any]) -> set[str]:
    """Name the tasks, without the groups that they are in."""
    groups = results.get("groups")
    return set(_tasks(results)) - set(groups if isinstance(groups, dict) else ())


def _printed(samples: _Samples) -> dict[str, float]:
    """What lm-eval printed of a task, by our names."""
    task = _tasks(samples.results).get(samples.task)
    if not isinstance(task, dict):
        return {}
    names = {key: key.partition(",") for key in task}
    return {
        _by_direction(metric_name(samples.task, metric, filtered or "none"), samples): value
        for key, (metric, _, filtered) in names.items()
        if (value := number_of(task[key])) is not None and not metric.endswith("_stderr")
    }


def _is_theirs(seen: Seen) -> bool:
    if seen.kind != "a folder":
        return {"doc_id", "doc", "resps"} <= seen.keys
    if any(_SAMPLES.fullmatch(name) for name in seen.names):
        return True
    # before 0.4.3
    return _OF_FIRST_VERSIONS in seen.names and any(
        _samples(seen.path / name) is not None for name in seen.names
    )


LM_EVAL = Reader(
    name="lm-eval",
    title="lm-eval's samples",
    how_to_get="the samples_*.jsonl that lm-eval writes with --log_samples, or its output folder",
    recognises=_is_theirs,
    read=read_lm_eval,
)
