"""Every problem of a report as plain data for the HTML explorer: a small index, and what models
wrote in chunks.

The index is what rows and filters need, one array per field and one letter per outcome. It holds
questions whole, so that a search in them needs nothing else. A chunk holds what is only seen in an
opened row, for `CHUNK` problems.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stagelift.evals.records import Group, Outcome, Score, Verdict
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report
from stagelift.reports.words.formatting import safe_text

CHUNK = 200
NOT_ASKED = "-"
OUTCOMES: dict[Outcome | None, str] = {
    "correct": "c",
    "wrong": "w",
    "truncated": "t",
    "unparsed": "u",
    None: "n",
}
GROUPS: dict[Group, str] = {"test": "test", "held_out": "held-out", "preference": "preference"}
# what would end a script element, or a line in an old JavaScript, stands as an escape
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

# [text, finish, {reading: answer}, [[against, score, orders, reason]], [samples, correct]]
Response = list[Any]


@dataclass(frozen=True)
class Problems:
    """The explorer's data: the index, and JSON texts of lists, by problem and stage, of a Response
    or None.

    `key` is made of the chunks, so that a page can tell its own side file from another.
    """

    index: dict[str, Any]
    chunks: list[str]
    key: str


@dataclass(frozen=True)
class _Stage:
    """A column and its records by problem id; `previous` is the column before it in its run.

    `samples` is empty where each problem was asked once. `verdicts` are by the name of the model
    judged against.
    """

    name: str
    previous: int | None
    record: StageRecord
    scores: dict[str, Score]
    samples: dict[str, list[Score]]
    verdicts: dict[str, dict[str, Verdict]]


def problems(report: Report) -> Problems:
    """Return every problem that any stage was asked, in the order of the first stage that was."""
    stages = _stages(report)
    asked: dict[str, Score] = {}
    for stage in stages:
        asked |= {one: score for one, score in stage.scores.items() if one not in asked}
    ids = list(asked)
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    chunks = [
        json_text([[_response(one, stage) for stage in stages] for one in part]) for part in parts
    ]
    return Problems(
        index=_index(stages, list(asked.values())),
        chunks=chunks,
        key=hashlib.sha256("\n".join(chunks).encode()).hexdigest()[:16],
    )


def json_text(data: object) -> str:
    """Write JSON that can stand inside a script element, whatever its strings are."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def plain_text(text: str) -> str:
    """Return safe_text, but look at each different character once: there may be millions in all."""
    if text.replace("\n", "").replace("\t", "").isprintable():
        return text
    return text.translate({ord(character): safe_text(character) for character in set(text)})


def _stages(report: Report) -> list[_Stage]:
    places = {(stage.run, stage.name): place for place, stage in enumerate(report.stages())}
    return [
        _Stage(
            name=plain_text(report.column(stage)),
            previous=None if stage.parent is None else places[run.name, stage.parent],
            record=stage,
            scores=stage.first_scores(),
            samples=_samples(stage),
            verdicts=_verdicts(stage, stage.parent or stage.name, run.record.base(stage).name),
        )
        for run in report.runs
        for stage in run.stages
    ]


def _samples(stage: StageRecord) -> dict[str, list[Score]]:
    samples: dict[str, list[Score]] = {}
    if any(score.sample for score in stage.scores):
        for score in stage.scores:
            samples.setdefault(score.id, []).append(score)
    return samples


def _verdicts(stage: StageRecord, previous: str, base: str) -> dict[str, dict[str, Verdict]]:
    """Collect a stage's verdicts; of the first trained one, those against the previous stage and
    base are the same.
    """
    names = {"previous": previous, "base": base, "reference": "reference"}
    verdicts: dict[str, dict[str, Verdict]] = {}
    for role, name in names.items():
        for found in stage.verdicts.values():
            for one, verdict in found.items():
                if verdict.against == role:
                    verdicts.setdefault(plain_text(name), {})[one] = verdict
    return verdicts


def _index(stages: Sequence[_Stage], asked: Sequence[Score]) -> dict[str, Any]:
    field = "n_tokens" if _all_in_tokens(stages) else "n_chars"
    groups = [group for group in GROUPS if any(score.group == group for score in asked)]
    ids = [score.id for score in asked]
    return {
        "unit": "tokens" if field == "n_tokens" else "characters",
        "chunk": CHUNK,
        "stages": [_names(stage) for stage in stages],
        "groups": [GROUPS[group] for group in groups],
        "ids": [plain_text(one) for one in ids],
        "group": "".join(str(groups.index(score.group)) for score in asked),
        "questions": [plain_text(score.question) for score in asked],
        "targets": [_maybe_text(score.target) for score in asked],
        "outcomes": ["".join(_outcome(stage.scores.get(one)) for one in ids) for stage in stages],
        "lengths": [
            [getattr(stage.scores.get(one), field, None) for one in ids] for stage in stages
        ],
        "verdicts": [
            {
                against: "".join(_verdict(found.get(one)) for one in ids)
                for against, found in stage.verdicts.items()
            }
            for stage in stages
        ],
    }


def _names(stage: _Stage) -> dict[str, Any]:
    record = stage.record
    return {
        "name": stage.name,
        "run": plain_text(record.run),
        "stage": plain_text(record.name),
        "previous": stage.previous,
    }


def _all_in_tokens(stages: Sequence[_Stage]) -> bool:
    """Lengths are compared between stages, so all are in one unit."""
    return all(score.n_tokens is not None for stage in stages for score in stage.scores.values())


def _outcome(score: Score | None) -> str:
    return NOT_ASKED if score is None else OUTCOMES[score.outcome]


def _verdict(verdict: Verdict | None) -> str:
    if verdict is None:
        return NOT_ASKED
    if verdict.score is None:
        return "n"
    return "w" if verdict.score > 0.5 else "l" if verdict.score < 0.5 else "t"


def _response(one: str, stage: _Stage) -> Response | None:
    score, generation = stage.scores.get(one), stage.record.generations.get(one)
    if score is None:
        return None
    samples = stage.samples.get(one, [])
    return [
        None if generation is None else plain_text(generation.response),
        None if generation is None else generation.finish_reason,
        _answers(score),
        [_judged(against, found[one]) for against, found in stage.verdicts.items() if one in found],
        [len(samples), sum(sample.correct is True for sample in samples)]
        if len(samples) > 1
        else None,
    ]


def _answers(score: Score) -> dict[str, str | None]:
    """Return the answer of each reading that was done, None where it found none."""
    readings = {
        "answer": (score.correct, score.answer),
        "strict": (score.correct_strict, score.answer_strict),
        "flexible": (score.correct_flexible, score.answer_flexible),
    }
    return {
        name: _maybe_text(answer)
        for name, (correct, answer) in readings.items()
        if correct is not None
    }


def _judged(against: str, verdict: Verdict) -> list[Any]:
    return [against, verdict.score, verdict.orders, plain_text(verdict.reason)]


def _maybe_text(text: str | None) -> str | None:
    return None if text is None else plain_text(text)
