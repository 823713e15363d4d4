"""MT-Bench's files, as FastChat writes them: `model_judgment/*_single.jsonl` (scores from 1 to 10),
`*_pair.jsonl` (pairs judged in both orders), `model_answer/*.jsonl`; or the folder they are in. And
Arena-Hard's, which are much the same.

The unit is the question: its score is the mean of its turns, and so is its verdict, in each order.
FastChat calls a pair a draw where the two orders disagree; here it counts the mean of both, which
is the same unless one order is a draw. Arena-Hard weighs a clear win three times; here a win is a
win. A judgement that could not be read is left out, as both do. An answer is all that a model said
in its turns.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from stagelift.evals.imports.measured import Measured, Response, id_in, stage_of
from stagelift.evals.imports.mt_bench_rows import (
    UNREAD,
    AnswerRow,
    GamesRow,
    Judged,
    Orders,
    PairRow,
    QuestionRow,
    ScoreRow,
)
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.imports.seen import Seen, look_at
from stagelift.evals.records import Verdict

_SCORES = {"model", "judge", "judgment", "score"}
_PAIRS = {"model_1", "model_2", "g1_winner", "g2_winner"}
_GAMES = {"model", "judge", "games"}
_ANSWERS = {"question_id", "model_id", "choices"}
_FOLDERS = ("model_answer", "model_judgment")
_BENCH = "mt_bench"
AnyRow = TypeVar("AnyRow", ScoreRow, PairRow, GamesRow, AnswerRow, QuestionRow)


class _Files(NamedTuple):
    """What lies together: every kind of row that there is."""

    bench: str
    scores: list[ScoreRow]
    pairs: list[PairRow | GamesRow]
    answers: list[AnswerRow]
    questions: dict[str, str]


def read_mt_bench(path: Path) -> Imported:
    """Read a file of judgements or answers, or a folder of them: every model is a stage, except the
    one that all pairs are against.

    Raises ValueError, naming file and line, for malformed rows, duplicates, several judges, and
    pairs that are not all against one model.
    """
    files = _read_files(path)
    baseline = _baseline(path, files.pairs)
    judge = _judge(path, [*files.scores, *files.pairs])
    names = dict.fromkeys(_models(files))
    if baseline is not None and not any(row.model == baseline for row in files.scores):
        names.pop(baseline, None)
    stages = [_stage(name, files, baseline) for name in names]
    contract = {"task": files.bench}
    if judge is not None:
        contract["judge"] = judge
    if baseline is not None:
        contract["reference"] = baseline
    return Imported(stages, ", ".join(names), contract, tuple(_notes(files, baseline)))


def _read_files(path: Path) -> _Files:
    files = _Files(_bench(path), [], [], [], {})
    for file in _jsonl(path) if path.is_dir() else [path]:
        keys = look_at(file).keys
        if keys >= _PAIRS:
            files.pairs.extend(_rows(file, PairRow))
        elif keys >= _GAMES:
            files.pairs.extend(_rows(file, GamesRow))
        elif keys >= _SCORES:
            files.scores.extend(_rows(file, ScoreRow))
        elif keys >= _ANSWERS:
            files.answers.extend(_rows(file, AnswerRow))
    questions = _question_file(path)
    if questions is not None:
        files.questions.update({row.question: row.text for row in _rows(questions, QuestionRow)})
    if not (files.scores or files.pairs or files.answers):
        raise ValueError(f"{path} holds no judgements or answers, so there is nothing to import.")
    return files


def _jsonl(path: Path) -> list[Path]:
    """List the files; Arena-Hard has a folder for each judge."""
    folders = [path / name for name in _FOLDERS if (path / name).is_dir()] or [path]
    return sorted(
        file
        for folder in folders
        for pattern in ("*.jsonl", "*/*.jsonl")
        for file in folder.glob(pattern)
    )


def _bench(path: Path) -> str:
    """Name the benchmark by its folder, which holds the folders of answers and judgements."""
    if path.is_dir() and any((path / name).is_dir() for name in _FOLDERS):
        return path.resolve().name
    parts = path.resolve().parts
    above = [place for place, part in enumerate(parts) if part in _FOLDERS and place > 0]
    return parts[above[-1] - 1] if above and above[-1] > 1 else _BENCH


def _question_file(path: Path) -> Path | None:
    folders = [path, *path.parents[:1]] if path.is_dir() else path.parents[:3]
    return next((file for folder in folders if (file := folder / "question.jsonl").is_file()), None)


def _rows(path: Path, kind: type[AnyRow]) -> list[AnyRow]:
    lines = read_valid(path, kind)
    seen: dict[tuple[str, ...], int] = {}
    for number, row in lines:
        place = row.place()
        if place in seen:
            raise ValueError(
                f"{path}, lines {seen[place]} and {number} are both of question "
                f"{', '.join(place)}, so nothing was imported."
            )
        seen[place] = number
    return [row for _, row in lines]


def _baseline(path: Path, pairs: Sequence[PairRow | GamesRow]) -> str | None:
    """Name the model that all pairs are against: of two models the one that comes second."""
    if not pairs:
        return None
    shared = set.intersection(*({*pair.models()} for pair in pairs))
    if not shared:
        raise ValueError(
            f"{path} holds pairs that are not all against one model, so there is no win rate to "
            "import. Give the pairs against one of them (FastChat's pairwise-baseline)."
        )
    first, second = pairs[0].models()
    return second if second in shared else first


def _judge(path: Path, rows: Sequence[Judged]) -> str | None:
    judges = {row.judge for row in rows}
    if len(judges) > 1:
        raise ValueError(
            f"{path} holds judgements of several judges ({', '.join(sorted(judges))}), which "
            "cannot be compared. Give those of one."
        )
    return next(iter(judges), None)


def _models(files: _Files) -> Iterator[str]:
    for answer in files.answers:
        yield answer.model_id
    for score in files.scores:
        yield score.model
    for pair in files.pairs:
        yield from pair.models()


def _stage(name: str, files: _Files, baseline: str | None) -> ImportedStage:
    answers = {row.question: row for row in files.answers if row.model_id == name}
    turns: dict[str, dict[int, float]] = {}
    for row in files.scores:
        if row.model == name and row.score != UNREAD:
            turns.setdefault(row.question, {})[row.turn] = row.score
    documents = [
        Measured(
            id=question,
            question=files.questions.get(question, f"question {question}"),
            target=None,
            values=_values(turns.get(question, {})),
            responses=_responses(answers.get(question)),
        )
        for question in dict.fromkeys([*answers, *turns])
    ]
    stage = stage_of(name, {files.bench: documents})
    return stage._replace(verdicts=list(_verdicts(name, files, baseline)))


def _values(turns: Mapping[int, float]) -> dict[str, float]:
    if not turns:
        return {}
    by_turn = {f"score,turn {turn}": score for turn, score in sorted(turns.items())}
    return {"score": math.fsum(turns.values()) / len(turns), **by_turn}


def _responses(answer: AnswerRow | None) -> list[Response]:
    return [Response(choice.text) for choice in answer.choices] if answer else []


def _verdicts(name: str, files: _Files, baseline: str | None) -> Iterator[Verdict]:
    by_question: dict[str, list[Orders]] = {}
    for pair in files.pairs:
        if name in pair.models():
            by_question.setdefault(pair.question, []).append(pair.orders(name))
    lengths = {(row.model_id, row.question): len(row.choices[0].text) for row in files.answers}
    for question, turns in by_question.items():
        first, second = (_mean([orders[place] for orders in turns]) for place in (0, 1))
        mine, theirs = lengths.get((name, question)), lengths.get((baseline or "", question))
        yield Verdict(
            id=id_in(files.bench, question),
            against="reference",
            score=None if first is None or second is None else (first + second) / 2,
            orders=(first, second),
            length_difference=None if mine is None or theirs is None else mine - theirs,
            reason=f"against {baseline}, {len(turns)} judged",
        )


def _mean(values: Sequence[float | None]) -> float | None:
    read = [value for value in values if value is not None]
    return math.fsum(read) / len(read) if read else None


def _notes(files: _Files, baseline: str | None) -> list[str]:
    unread = Counter(row.model for row in files.scores if row.score == UNREAD)
    failed = sum(None in pair.orders(pair.models()[0]) for pair in files.pairs)
    notes = [
        f"{count} scores of '{model}' could not be read by FastChat (-1): they are left out"
        for model, count in sorted(unread.items())
    ]
    if failed:
        notes.append(f"{failed} of {len(files.pairs)} pairs could not be judged: they are left out")
    if baseline is not None:
        notes.append(f"all pairs are against '{baseline}', which is the reference")
    if not files.questions:
        notes.append("question.jsonl is not beside it: prompts are not known")
    return notes


def _is_theirs(seen: Seen) -> bool:
    if seen.kind == "a folder":
        return any(name in seen.names for name in _FOLDERS) or seen.path.name in _FOLDERS
    is_of_question = bool({"question_id", "uid"} & seen.keys)
    return is_of_question and any(seen.keys >= keys for keys in (_SCORES, _PAIRS, _GAMES, _ANSWERS))


MT_BENCH = Reader(
    name="mt-bench",
    title="MT-Bench's or Arena-Hard's judgements or answers",
    how_to_get="FastChat's model_judgment/*.jsonl or model_answer/*.jsonl, or the folder of both",
    recognises=_is_theirs,
    read=read_mt_bench,
)
