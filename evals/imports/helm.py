"""HELM's run folders: `scenario_state.json` (what was asked and answered), `run_spec.json` and
`per_instance_stats.json` (what it was worth); or a folder of such folders, one a task or a model.

Each metric of an instance becomes a metric of the task, its mean over training trials. What HELM
keeps of its requests (tokens, seconds, log-probabilities) is none of a model's quality and is left
out, and so are perturbed copies of an instance. HELM scores the most probable completion, so that
is the response. Metrics that HELM computes over all instances at once are not in the files.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from stagelift.evals.finish_reasons import FinishReason, read_finish_reason
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    id_in,
    mean_by_metric,
    number_of,
    stage_of,
)
from stagelift.evals.imports.objects import entries_of, read_object
from stagelift.evals.imports.published import differences
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.imports.seen import Seen

_STATE, _STATS, _SPEC, _MEANS = (
    "scenario_state.json",
    "per_instance_stats.json",
    "run_spec.json",
    "stats.json",
)
# what HELM keeps of requests
_OF_REQUESTS = re.compile(
    r"num_.*|finish_reason_.*|batch_size|training_.*|inference_.*|prompt_truncated|max_prob"
    r"|logprob.*|.*perplexity|bits_per_byte|predicted_index"
)
_MODEL_IN_NAME = re.compile(r"(?:(?<=:)|,)model(?:_deployment)?=[^,]*")


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Text(_Record):
    text: str


class _Reference(_Record):
    output: _Text
    tags: list[str] = []


class _Instance(_Record):
    id: str
    input: _Text
    references: list[_Reference] = []
    perturbation: Any = None


class _Completion(_Record):
    text: str
    logprob: float = 0.0
    tokens: list[_Text] = []
    finish_reason: dict[str, Any] | None = None


class _Result(_Record):
    success: bool = True
    completions: list[_Completion] = []


class _Request(_Record):
    prompt: str


class _RequestState(_Record):
    """A request: of `reference_index` where every choice was asked about on its own."""

    instance: _Instance
    reference_index: int | None = None
    request_mode: str | None = None
    train_trial_index: int = 0
    output_mapping: dict[str, str] | None = None
    request: _Request
    result: _Result | None = None


class _MetricName(_Record):
    name: str
    perturbation: Any = None


class _Stat(_Record):
    name: _MetricName
    count: int
    sum: float


class _InstanceStats(_Record):
    instance_id: str
    perturbation: Any = None
    train_trial_index: int = 0
    stats: list[_Stat]


class _Run(NamedTuple):
    """One run folder, read."""

    task: str
    model: str
    documents: list[Measured]
    printed: dict[str, float]
    notes: list[str]


def read_helm(path: Path) -> Imported:
    """Read a run folder, or a folder of them: every model is a stage.

    Raises ValueError, naming the file and the entry, where something is missing or malformed.
    """
    runs = [_read_run(folder) for folder in _run_folders(path)]
    models: dict[str, dict[str, _Run]] = {}
    for run in runs:
        tasks = models.setdefault(run.model, {})
        if run.task in tasks:
            raise ValueError(
                f"{path} holds two runs of '{run.model}' on '{run.task}', so nothing was imported. "
                "Give one of them."
            )
        tasks[run.task] = run
    stages = [_stage(model, tasks) for model, tasks in models.items()]
    notes = [note for run in runs for note in run.notes]
    for stage in stages:
        for run in models[stage.name].values():
            notes += differences("HELM", run.printed, stage.task_scores)
    names = ", ".join(sorted({run.task for run in runs}))
    return Imported(stages, ", ".join(models), {"task": names}, tuple(dict.fromkeys(notes)))


def _stage(model: str, runs: Mapping[str, _Run]) -> ImportedStage:
    return stage_of(model, {task: run.documents for task, run in runs.items()})


def _run_folders(path: Path) -> list[Path]:
    if (path / _STATE).is_file():
        return [path]
    folders = sorted(entry for entry in path.iterdir() if (entry / _STATE).is_file())
    if not folders:
        raise ValueError(f"{path} holds no {_STATE}, so it is no run of HELM's.")
    return folders


def _read_run(folder: Path) -> _Run:
    for name in (_STATS, _SPEC):
        if not (folder / name).is_file():
            raise ValueError(f"{folder} lacks {name}, so it is no whole run of HELM's.")
    spec = read_object(folder / _SPEC)
    adapter = spec.get("adapter_spec")
    model = adapter.get("model") if isinstance(adapter, dict) else None
    if not isinstance(spec.get("name"), str) or not isinstance(model, str):
        raise ValueError(f"{folder / _SPEC} names no run or no model.")
    task = _MODEL_IN_NAME.sub("", spec["name"]).strip(":,").replace(":,", ":")
    states = _states(folder / _STATE)
    values = _values(folder / _STATS)
    unperturbed = [state for state in states if state.instance.perturbation is None]
    documents = _documents(folder, unperturbed, values)
    return _Run(task, model, documents, _printed(folder, task), _notes(states, values))


# the samples of an instance, one a training trial
Trials = dict[int, dict[str, float]]


def _states(path: Path) -> list[_RequestState]:
    state = read_object(path)
    states = entries_of(path, state.get("request_states"), _RequestState, "request")
    if not states:
        raise ValueError(f"{path} has no requests, so there is nothing to import.")
    return states


def _values(path: Path) -> dict[str, Trials]:
    """Read what instances are worth, by id and trial; HELM writes an entry for each of its metric
    classes.
    """
    values: dict[str, Trials] = {}
    for number, row in read_valid(path, _InstanceStats):
        if row.perturbation is not None:
            continue
        metrics = values.setdefault(row.instance_id, {}).setdefault(row.train_trial_index, {})
        for metric, value in _metrics(row.stats).items():
            if metrics.setdefault(metric, value) != value:
                raise ValueError(
                    f"{path}, entry {number} gives {metric} of instance '{row.instance_id}' in "
                    f"trial {row.train_trial_index} a second time and otherwise, so nothing was "
                    "imported."
                )
    return values


def _metrics(stats: list[_Stat]) -> dict[str, float]:
    return {
        stat.name.name.replace("/", "."): value
        for stat in stats
        if stat.count
        and stat.name.perturbation is None
        and not _OF_REQUESTS.fullmatch(stat.name.name)
        and (value := number_of(stat.sum / stat.count)) is not None
    }


def _documents(
    folder: Path, states: list[_RequestState], values: Mapping[str, Trials]
) -> list[Measured]:
    by_instance: dict[str, list[_RequestState]] = {}
    for state in states:
        by_instance.setdefault(state.instance.id, []).append(state)
    unknown = values.keys() - by_instance.keys()
    if unknown:
        raise ValueError(
            f"{folder / _STATS} measures instance '{min(unknown)}', which {_STATE} does not have, "
            "so nothing was imported."
        )
    return [
        _document(of, mean_by_metric(values.get(instance, {}).values()))
        for instance, of in by_instance.items()
    ]


def _document(states: list[_RequestState], values: dict[str, float]) -> Measured:
    first = states[0]
    answered = [state for state in states if _is_generation(state)]
    return Measured(
        id=first.instance.id,
        question=first.instance.input.text,
        target=_target(first),
        values=values,
        responses=[response for state in answered for response in _responses(state)],
        prompt=first.request.prompt,
    )


def _is_generation(state: _RequestState) -> bool:
    """Whether a request is one for a response: not for the likelihood of a choice."""
    return state.reference_index is None and state.request_mode in (None, "original")


def _responses(state: _RequestState) -> Iterator[Response]:
    """Yield the most probable completion, which is what HELM scores."""
    if state.result is None or not state.result.success or not state.result.completions:
        return
    best = max(state.result.completions, key=lambda completion: completion.logprob)
    yield Response(best.text, _length(best), _ended(best))


def _length(completion: _Completion) -> int | None:
    """Count the tokens. Of servers HELM keeps the whole text as one: then it is not known."""
    if not completion.tokens or any(len(token.text.split()) > 1 for token in completion.tokens):
        return None
    return len(completion.tokens)


def _ended(completion: _Completion) -> FinishReason | None:
    reason = (completion.finish_reason or {}).get("reason")
    return read_finish_reason(reason) if isinstance(reason, str) else None


def _target(state: _RequestState) -> str | None:
    """Return the first right reference; where choices have letters, its letter."""
    correct = [
        reference.output.text
        for reference in state.instance.references
        if "correct" in reference.tags
    ]
    if not correct:
        return None
    letters = {text: letter for letter, text in (state.output_mapping or {}).items()}
    return letters.get(correct[0], correct[0])


def _printed(folder: Path, task: str) -> dict[str, float]:
    """What HELM printed of the instances, by our names, where it is there."""
    if not (folder / _MEANS).is_file():
        return {}
    means = [row for _, row in read_valid(folder / _MEANS, _Stat)]
    splits = _metrics(means)
    return {id_in(task, metric): value for metric, value in splits.items()}


def _notes(states: list[_RequestState], values: Mapping[str, Trials]) -> list[str]:
    perturbed = sum(state.instance.perturbation is not None for state in states)
    failed = sum(state.result is not None and not state.result.success for state in states)
    unmeasured = {state.instance.id for state in states} - values.keys()
    counts = {
        f"{perturbed} requests are of perturbed copies of instances: they are left out": perturbed,
        f"{failed} requests failed: they have no response": failed,
        f"{len(unmeasured)} instances are not in {_STATS}: they have no metrics": len(unmeasured),
    }
    notes = [note for note, count in counts.items() if count]
    return [*notes, "of HELM's metrics, tokens, seconds and log-probabilities are left out"]


def _is_run(seen: Seen) -> bool:
    if _STATE in seen.names:
        return True
    return seen.kind == "a folder" and any(
        (seen.path / name / _STATE).is_file() for name in seen.names
    )


HELM = Reader(
    name="helm",
    title="a run folder of HELM",
    how_to_get="the folder of one run, with scenario_state.json, per_instance_stats.json and "
    "run_spec.json, or the folder of a suite of them",
    recognises=_is_run,
    read=read_helm,
)
