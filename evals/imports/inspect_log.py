"""Inspect's logs, `.eval` or `.json`, read by inspect_ai itself (the extra `inspect`).

A scorer's verdicts C, I, P and N are 1, 0, 1/2 and 0, as Inspect counts them, and become
`task/accuracy,scorer`; other numbers become `task/mean,scorer`. Epochs are samples of a document:
its value is their mean. Other reducers, and metrics that are no mean over documents, are not
computed. A sample that ended in an error has no score, so it is left out.
"""

import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from stagelift.evals.finish_reasons import read_finish_reason, unknown_words
from stagelift.evals.imports.archives import refuse_unsafe_archive
from stagelift.evals.imports.measured import (
    Measured,
    Response,
    id_in,
    mean_by_metric,
    number_of,
    stage_of,
)
from stagelift.evals.imports.objects import read_object
from stagelift.evals.imports.published import differences
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported
from stagelift.evals.imports.seen import Seen

if TYPE_CHECKING:
    from inspect_ai.log import EvalLog, EvalSample

_VERDICTS = {"c": 1.0, "i": 0.0, "p": 0.5, "n": 0.0}
_WORDS = _VERDICTS | {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}


def read_inspect(path: Path) -> Imported:
    """Read a log.

    Raises ValueError where inspect_ai is not installed, cannot read it, or there is nothing in it.
    """
    log = _log(path)
    samples = log.samples or []
    if not samples:
        raise ValueError(
            f"{path} holds no samples (its status is '{log.status}'), so there is nothing to "
            "import. Inspect writes them unless it is told --no-log-samples."
        )
    by_document: dict[str, list[EvalSample]] = {}
    for sample in samples:
        by_document.setdefault(str(sample.id), []).append(sample)
    _refuse_twice(path, by_document)
    names = _metric_names(samples)
    documents = [_document(name, of, names) for name, of in by_document.items()]
    task = log.eval.task
    stage = stage_of(log.eval.model, {task: documents})
    notes = (*_notes(log, samples), *differences("Inspect", _printed(log), stage.task_scores))
    return Imported([stage], log.eval.model, {"task": task}, notes)


def _log(path: Path) -> "EvalLog":
    try:
        from inspect_ai.log import read_eval_log
    except ImportError as error:
        raise ValueError(
            f"{path} is a log of Inspect, which inspect_ai reads, and that is not installed here. "
            "Install it: pip install inspect_ai."
        ) from error
    is_archive = zipfile.is_zipfile(path)
    if is_archive:
        refuse_unsafe_archive(path)
    else:
        # bounded, and JSON to the end
        read_object(path)
    try:
        return read_eval_log(
            path, format="eval" if is_archive else "json", resolve_attachments="core"
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"inspect_ai cannot read {path}: {place}: {first['msg']}.") from error
    # whatever it says of a file that it cannot read
    except Exception as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ValueError(f"inspect_ai cannot read {path}: {reason.rstrip('.')}.") from error


def _refuse_twice(path: Path, by_document: Mapping[str, list["EvalSample"]]) -> None:
    for name, samples in by_document.items():
        (epoch, count), *_ = Counter(sample.epoch for sample in samples).most_common(1)
        if count > 1:
            raise ValueError(
                f"{path} has epoch {epoch} of sample '{name}' {count} times, so nothing was "
                "imported."
            )


def _scored(sample: "EvalSample") -> Iterator[tuple[str, object]]:
    """Yield a sample's values: by scorer, and where one gives several by their keys, too."""
    for scorer, score in (sample.scores or {}).items():
        if isinstance(score.value, Mapping):
            for key, value in score.value.items():
                yield f"{scorer}.{key}", value
        else:
            yield scorer, score.value


def _number(value: object) -> float | None:
    """Count a value as Inspect does; None where it leaves a sample unscored."""
    if isinstance(value, str):
        word = value.strip().casefold()
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = float(word)
        except ValueError:
            return None
    return number_of(value)


def _metric_names(samples: list["EvalSample"]) -> dict[str, str]:
    """Name the metric of each scorer: an accuracy where it says right or wrong, else a mean."""
    values: dict[str, list[object]] = {}
    for sample in samples:
        for scorer, value in _scored(sample):
            values.setdefault(scorer, []).append(value)
    return {
        scorer: f"{_kind(given)},{_without_slash(scorer)}"
        for scorer, given in values.items()
        if any(_number(value) is not None for value in given)
    }


def _kind(values: list[object]) -> str:
    is_verdict = all(
        isinstance(value, str | bool) or value in (0, 1) for value in values if _is_given(value)
    )
    return "accuracy" if is_verdict else "mean"


def _is_given(value: object) -> bool:
    return _number(value) is not None


def _without_slash(scorer: str) -> str:
    """In a metric's name a slash ends the task."""
    return scorer.replace("/", ".")


def _document(name: str, samples: list["EvalSample"], names: Mapping[str, str]) -> Measured:
    first = samples[0]
    target = first.target if isinstance(first.target, str) else "\n".join(first.target)
    return Measured(
        id=name,
        question=_text(first.input),
        target=target or None,
        values=mean_by_metric(_values(sample, names) for sample in samples),
        responses=[_response(sample) for sample in samples if sample.error is None],
    )


def _values(sample: "EvalSample", names: Mapping[str, str]) -> dict[str, float]:
    return {
        names[scorer]: number
        for scorer, value in _scored(sample)
        if (number := _number(value)) is not None
    }


def _text(content: Any) -> str:
    """Join what was asked: a text, or messages."""
    if isinstance(content, str):
        return content
    return "\n\n".join(message.text for message in content)


def _response(sample: "EvalSample") -> Response:
    usage = sample.output.usage
    # what an agent used in all its turns is not the length of its last
    is_one_turn = sum(message.role == "assistant" for message in sample.messages) <= 1
    return Response(
        sample.output.completion,
        usage.output_tokens if usage is not None and is_one_turn else None,
        read_finish_reason(_stop_reason(sample)),
    )


def _stop_reason(sample: "EvalSample") -> str | None:
    if not sample.output.choices:
        return None
    reason = sample.output.choices[0].stop_reason
    return None if reason == "unknown" else reason


def _notes(log: "EvalLog", samples: list["EvalSample"]) -> list[str]:
    failed = sum(sample.error is not None for sample in samples)
    unscored = Counter(
        scorer for sample in samples for scorer, value in _scored(sample) if not _is_given(value)
    )
    notes = [f"the evaluation is '{log.status}': {len(samples)} samples are in the log"]
    if log.status == "success":
        notes = []
    if failed:
        notes.append(f"{failed} of {len(samples)} samples ended in an error: they are left out")
    notes += [
        f"{count} samples have no number of scorer '{scorer}': they are left out of its mean"
        for scorer, count in sorted(unscored.items())
    ]
    reducers = [reducer for reducer in log.eval.config.epochs_reducer or [] if reducer != "mean"]
    if reducers:
        notes.append(
            f"Inspect reduced epochs by {', '.join(reducers)}; here a document is worth their mean"
        )
    return [*notes, *unknown_words(map(_stop_reason, samples))]


def _printed(log: "EvalLog") -> dict[str, float]:
    """What Inspect printed, by our names; not comparable where epochs are reduced otherwise."""
    reducers = {*(log.eval.config.epochs_reducer or [])} - {"mean"}
    if log.results is None or reducers:
        return {}
    return {
        id_in(log.eval.task, f"{metric},{_without_slash(score.name)}"): value
        for score in log.results.scores
        for metric, result in score.metrics.items()
        if (value := number_of(result.value)) is not None
    }


def _is_log(seen: Seen) -> bool:
    if seen.kind == "a zip archive":
        return any(name in ("header.json", "_journal/start.json") for name in seen.names)
    return seen.kind == "a JSON object" and {"eval", "version", "status"} <= seen.keys


INSPECT = Reader(
    name="inspect",
    title="a log of Inspect",
    how_to_get="the .eval or .json file that `inspect eval` leaves in its logs folder",
    recognises=_is_log,
    read=read_inspect,
)
