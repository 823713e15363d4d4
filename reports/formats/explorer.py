"""Every problem of a report as plain data for the HTML explorer: an index, and chunks.

The index is what rows and filters need, one array per field and one letter per outcome. It holds
questions whole, so that a search in them needs nothing else. A chunk holds what is only seen in an
opened row, for `CHUNK` problems.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stagelift.evals.printed import json_escaped, safe_text, shown_name
from stagelift.evals.records import Group, Outcome, Score, Scored, Verdict
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report

CHUNK = 200
NOT_ASKED = "-"
OUTCOMES: dict[Outcome | None, str] = {
    "correct": "c",
    "wrong": "w",
    "truncated": "t",
    "unparsed": "u",
    "looping": "l",
    None: "n",
}
GROUPS: dict[Group, str] = {
    "test": "test",
    "held_out": "held-out",
    "preference": "preference",
    "task": "further tasks",
    "instructions": "instructions",
}
# what would end a script element, or a line in an old JavaScript, stands as an escape
_ESCAPES = {character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}

# [text, finish, {reading: answer}, [[against, score, orders, reason]], [samples, correct, beside]]
Response = list[Any]


@dataclass(frozen=True)
class Problems:
    """The explorer's data.

    A chunk is a JSON text: for each problem a list, with a Response or None for each stage. `key`
    is made of the chunks, so that a page can tell its own side file from another.
    """

    index: dict[str, Any]
    chunks: list[str]
    key: str


@dataclass(frozen=True)
class _Stage:
    """A column and its records by problem id; `previous` is the column before it in its run.

    `samples` are those drawn beside the response, else all there are, the response with them;
    empty where each problem was asked once. `verdicts` are by the name of the model
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
        for problem, score in stage.scores.items():
            asked.setdefault(problem, score)
    ids = list(asked)
    parts = [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
    chunks = [_chunk(part, stages) for part in parts]
    return Problems(
        index=_index(stages, list(asked.values())),
        chunks=chunks,
        key=hashlib.sha256("\n".join(chunks).encode()).hexdigest()[:16],
    )


def json_text(data: object) -> str:
    """Write JSON that can stand inside a script element, whatever its strings are."""
    text = json_escaped(
        json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    )
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return text


def _stages(report: Report) -> list[_Stage]:
    places: dict[tuple[str, str | None], int] = {
        (stage.run, stage.name): place for place, stage in enumerate(report.measured())
    }
    return [
        _Stage(
            name=shown_name(report.column(stage)),
            previous=places.get((run.name, stage.parent)),
            record=stage,
            scores=stage.first_scores(),
            samples=_samples(stage),
            verdicts=_verdicts(stage, stage.parent or stage.name, run.record.base(stage).name),
        )
        for run in report.runs
        for stage in run.record.measured()
    ]


def _samples(stage: StageRecord) -> dict[str, list[Score]]:
    if not any(score.sample for score in stage.scores):
        return {}
    beside = [score for score in stage.scores if score.group == "sampled"]
    samples: dict[str, list[Score]] = {}
    for score in beside or stage.scores:
        samples.setdefault(score.id, []).append(score)
    return samples


def _verdicts(stage: StageRecord, previous: str, base: str) -> dict[str, dict[str, Verdict]]:
    """Collect a stage's verdicts by whom they are against.

    Of the first trained stage, those against the previous stage and base are the same.
    """
    opponents = {"previous": previous, "base": base, "reference": "reference"}
    collected: dict[str, dict[str, Verdict]] = {}
    for role, name in opponents.items():
        for verdicts in stage.verdicts.values():
            for problem, verdict in verdicts.items():
                if verdict.against == role:
                    collected.setdefault(shown_name(name), {})[problem] = verdict
    return collected


def _index(stages: Sequence[_Stage], asked: Sequence[Score]) -> dict[str, Any]:
    field = "n_tokens" if _all_in_tokens(stages) else "n_chars"
    groups = [group for group in GROUPS if any(score.group == group for score in asked)]
    ids = [score.id for score in asked]
    return {
        "unit": "tokens" if field == "n_tokens" else "characters",
        "chunk": CHUNK,
        "stages": [_names(stage) for stage in stages],
        "groups": [GROUPS[group] for group in groups],
        "ids": [safe_text(problem) for problem in ids],
        "group": "".join(str(groups.index(score.group)) for score in asked),
        "questions": [safe_text(score.question) for score in asked],
        "targets": [_maybe_text(score.target) for score in asked],
        "outcomes": [_outcomes(stage, ids) for stage in stages],
        "lengths": [
            [getattr(stage.scores.get(problem), field, None) for problem in ids] for stage in stages
        ],
        "verdicts": [_verdict_letters(stage, ids) for stage in stages],
    }


def _all_in_tokens(stages: Sequence[_Stage]) -> bool:
    """Say whether all lengths are known in tokens: they are compared, so all are in one unit."""
    return all(score.n_tokens is not None for stage in stages for score in stage.scores.values())


def _names(stage: _Stage) -> dict[str, Any]:
    record = stage.record
    return {
        "name": stage.name,
        "run": shown_name(record.run),
        "stage": shown_name(record.name),
        "previous": stage.previous,
    }


def _outcomes(stage: _Stage, ids: Sequence[str]) -> str:
    letters = {problem: OUTCOMES[score.outcome] for problem, score in stage.scores.items()}
    return "".join(letters.get(problem, NOT_ASKED) for problem in ids)


def _verdict_letters(stage: _Stage, ids: Sequence[str]) -> dict[str, str]:
    """Write a letter for each problem, by whom the stage was judged against."""
    texts = {}
    for against, verdicts in stage.verdicts.items():
        letters = {problem: _verdict_letter(verdict) for problem, verdict in verdicts.items()}
        texts[against] = "".join(letters.get(problem, NOT_ASKED) for problem in ids)
    return texts


def _verdict_letter(verdict: Verdict) -> str:
    if verdict.score is None:
        return "n"
    if verdict.score > 0.5:
        return "w"
    if verdict.score < 0.5:
        return "l"
    return "t"


def _chunk(problems: Sequence[str], stages: Sequence[_Stage]) -> str:
    return json_text([[_response(problem, stage) for stage in stages] for problem in problems])


def _response(problem: str, stage: _Stage) -> Response | None:
    if problem not in stage.scores:
        return None
    text = finish = None
    generation = stage.record.generations.get(problem)
    if generation is not None:
        text, finish = safe_text(generation.response), generation.finish_reason
    judged = [
        _judged(against, verdicts[problem])
        for against, verdicts in stage.verdicts.items()
        if problem in verdicts
    ]
    samples = _counted(stage.samples.get(problem, []))
    return [text, finish, _answers(stage.scores[problem]), judged, samples]


def _counted(samples: Sequence[Score]) -> list[int] | None:
    """Say how many samples there are, how many are right, and (0 or 1) whether they are others than
    the response that is shown; None where there are none.
    """
    beside = any(sample.group == "sampled" for sample in samples)
    if len(samples) < 2 and not beside:
        return None
    return [len(samples), sum(sample.correct is True for sample in samples), int(beside)]


def _answers(score: Score) -> dict[str, str | None]:
    """Return the answer of each reading that was done, None where it found none; in a user's task
    what each scorer made of the response.
    """
    if score.scored:
        return {safe_text(name): _scored(scored) for name, scored in score.scored.items()}
    readings = {
        "answer": (score.correct, score.answer),
        "strict": (score.correct_strict, score.answer_strict),
        "flexible": (score.correct_flexible, score.answer_flexible),
    }
    found = {
        name: _maybe_text(answer)
        for name, (correct, answer) in readings.items()
        if correct is not None
    }
    if score.violated is not None:
        found["violated"] = safe_text(", ".join(score.violated) or "nothing")
    if score.looping:
        found["loops"] = "at its end"
    return found


def _scored(scored: Scored) -> str | None:
    """Write a score with what was read; None where nothing could be read."""
    if scored.failure is not None:
        return safe_text(f"not measured: {scored.failure}")
    if scored.value is None:
        return "not measured"
    if scored.unread:
        return None
    answer = "" if scored.answer is None else f" · {scored.answer}"
    return safe_text(f"{scored.value:.4g}{answer}")


def _judged(against: str, verdict: Verdict) -> list[Any]:
    return [against, verdict.score, verdict.orders, safe_text(verdict.reason)]


def _maybe_text(text: str | None) -> str | None:
    if text is None:
        return None
    return safe_text(text)
