"""Verdicts that were given elsewhere, attached to responses: matched by prompt and by both texts.

A verdict is on a stage and the one before it, or base. Where a file names who wrote the responses,
and one of these is no stage of the run, it is the reference that the file's verdicts are against.
Two rows on one pair, shown either way round, are its verdict in both orders.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from stagelift.evals.judges.judging import SAME, Answered
from stagelift.evals.judges.verdicts import WrittenVerdict, read_verdicts, verdicts_id
from stagelift.evals.records import Role, Verdict

# of a reference's texts, fewer than this share are also a stage's
_MOSTLY = 0.5
# a model's responses by the id of their prompts
Answers = Mapping[str, Answered]


class Judged(NamedTuple):
    """A stage's responses, and by role those of the stages that it is compared with."""

    name: str
    answers: Answers
    others: Mapping[Role, Answers]


@dataclass(frozen=True)
class Attached:
    """The verdicts of each stage, who gave them, and what could not be matched.

    `reference` names what stages were compared with outside of the run, None where with nothing.
    """

    judge: str
    reference: str | None
    verdicts: list[list[Verdict]]
    notes: list[str]


def attach_verdicts(
    files: Sequence[Path], stages: Sequence[Judged], *, ids_replaced: bool = False
) -> Attached:
    """Find the verdicts on stages' responses; white space around texts does not count.

    Raises ValueError where a file is none of verdicts, or none of its verdicts is on these
    responses, and where verdicts are against several references. `ids_replaced` says that
    responses have other ids than their files.
    """
    notes: list[str] = []
    written = _Written([row for path in files for row in _rows(path, stages)])
    references = {row.reference for row in written.rows if row.reference is not None}
    if len(references) > 1:
        raise ValueError(
            f"Verdicts are against several references ({', '.join(sorted(references))}), and a run "
            "has one. Give the files of one of them."
        )
    verdicts = [
        [
            *(
                verdict
                for role, other in stage.others.items()
                for verdict in _against_stage(stage, role, other, written, notes)
            ),
            *_against_reference(stage, written),
        ]
        for stage in stages
    ]
    for path in files:
        notes += _unmatched(path, written, stages, ids_replaced=ids_replaced)
    return Attached(_judge(files, written), next(iter(references), None), verdicts, notes)


class _Row(NamedTuple):
    """A row of a file, its texts as they are compared; `reference` names who wrote text `side`."""

    path: Path
    verdict: WrittenVerdict
    texts: tuple[str, str]
    reference: str | None
    side: int


def _rows(path: Path, stages: Sequence[Judged]) -> list[_Row]:
    """Read a file, and find the reference that its verdicts are against, if they are."""
    written = read_verdicts(path)
    reference = _reference(written, stages)
    return [
        _Row(
            path,
            verdict,
            (verdict.responses[0].strip(), verdict.responses[1].strip()),
            reference,
            0 if reference is None else verdict.models.index(reference),
        )
        for verdict in written
    ]


def _reference(written: Sequence[WrittenVerdict], stages: Sequence[Judged]) -> str | None:
    """Name the model that every row has and that is no stage: most of its texts are none's."""
    always = [set(row.models) - {None} for row in written]
    texts = {
        answered.response.text.strip() for stage in stages for answered in stage.answers.values()
    }
    shares = {}
    for model in set.intersection(*always) if always else ():
        own = [row.responses[row.models.index(model)].strip() for row in written]
        shares[str(model)] = fmean(text in texts for text in own)
    if not shares:
        return None
    least = min(sorted(shares), key=shares.__getitem__)
    return least if shares[least] < _MOSTLY else None


class _Written:
    """All rows, found by their prompt; the places of those that were matched are `used`."""

    def __init__(self, rows: list[_Row]) -> None:
        self.rows = rows
        self.used = set[int]()
        self._by_question: dict[str, list[int]] = {}
        for place, row in enumerate(rows):
            for question in filter(None, (row.verdict.id, row.verdict.prompt)):
                self._by_question.setdefault(question.strip(), []).append(place)

    def on(self, name: str, prompt: str) -> list[int]:
        """Return the places of rows on a prompt, which its id or its text names."""
        named = self._by_question.get(name, [])
        return list(dict.fromkeys([*named, *self._by_question.get(prompt.strip(), [])]))


def _against_stage(
    stage: Judged, role: Role, other: Answers, written: _Written, notes: list[str]
) -> list[Verdict]:
    """Return the verdicts on a stage and another one.

    Equal responses are a tie that nobody was asked about. They count where every other pair has a
    verdict; among a part of the pairs they would not be a part like it.
    """
    verdicts: list[Verdict] = []
    same: list[Verdict] = []
    asked = 0
    for name, answered in stage.answers.items():
        texts = (answered.response.text, other[name].response.text)
        if texts[0] == texts[1]:
            same.append(_verdict(name, role, texts, _Decision(0.5, None, SAME)))
            continue
        asked += 1
        places = [
            place
            for place in written.on(name, answered.prompt)
            if written.rows[place].reference is None and _is_of(written.rows[place], texts)
        ]
        if places:
            verdicts.append(_verdict(name, role, texts, _decision(texts[0], places, written)))
    if not verdicts or len(verdicts) == asked:
        return [*verdicts, *same] if verdicts else []
    notes.append(
        f"'{stage.name}' has verdicts on {len(verdicts)} of its {asked} pairs against {role}: the "
        "win rate is of these"
    )
    return verdicts


def _is_of(row: _Row, texts: tuple[str, str]) -> bool:
    mine, theirs = (text.strip() for text in texts)
    return row.texts in ((mine, theirs), (theirs, mine))


def _against_reference(stage: Judged, written: _Written) -> list[Verdict]:
    """Return the verdicts on a stage and the reference."""
    verdicts = []
    for name, answered in stage.answers.items():
        mine = answered.response.text
        places = [
            place
            for place in written.on(name, answered.prompt)
            if written.rows[place].reference is not None
            and written.rows[place].texts[1 - written.rows[place].side] == mine.strip()
        ]
        if places:
            row = written.rows[places[0]]
            texts = (mine, row.verdict.responses[row.side])
            decision = _decision(mine, places, written)
            verdicts.append(_verdict(name, "reference", texts, decision))
    return verdicts


class _Decision(NamedTuple):
    """A stage's score, those of both orders if they are known, and who said so."""

    score: float | None
    orders: tuple[float | None, float | None] | None
    reason: str


def _decision(mine: str, places: Sequence[int], written: _Written) -> _Decision:
    """Join the rows on one pair: the mean of each order, and the mean of both."""
    shown: dict[bool, list[float | None]] = {}
    for place in places:
        row = written.rows[place]
        is_first = row.side == 1 if row.reference is not None else row.texts[0] == mine.strip()
        score = row.verdict.score
        mine_first = score if is_first or score is None else 1 - score
        shown.setdefault(is_first, []).append(mine_first)
    written.used.update(places)
    means = {is_first: _mean(scores) for is_first, scores in shown.items()}
    who = dict.fromkeys(
        written.rows[place].verdict.judge or f"from {written.rows[place].path.name}"
        for place in places
    )
    orders = (means[True], means[False]) if len(means) == 2 else None
    return _Decision(_mean(list(means.values())), orders, "; ".join(who))


def _mean(scores: Sequence[float | None]) -> float | None:
    """Average scores; None where one of them is not known."""
    known = [score for score in scores if score is not None]
    return fmean(known) if len(known) == len(scores) else None


def _verdict(name: str, role: Role, texts: tuple[str, str], decision: _Decision) -> Verdict:
    return Verdict(
        id=name,
        against=role,
        score=decision.score,
        orders=decision.orders,
        length_difference=len(texts[0]) - len(texts[1]),
        reason=decision.reason,
    )


def _unmatched(
    path: Path, written: _Written, stages: Sequence[Judged], *, ids_replaced: bool
) -> list[str]:
    """Say how many verdicts of a file are on nothing here. Raises ValueError where all are."""
    places = [place for place, row in enumerate(written.rows) if row.path == path]
    unused = [place for place in places if place not in written.used]
    if not places:
        raise ValueError(f"{path} holds no verdicts, so nothing was imported.")
    if not unused:
        return []
    if len(unused) < len(places):
        return [
            f"{len(unused)} of {len(places)} verdicts of {path.name} are left out: their prompts "
            "or responses are not those of stages that are compared"
        ]
    on_prompts = {
        place
        for stage in stages
        for name, answered in stage.answers.items()
        for place in written.on(name, answered.prompt)
    }
    wrong = "their prompts are others"
    if on_prompts & {*places}:
        wrong = f"{len(on_prompts & {*places})} are on its prompts, but on other responses"
    elif ids_replaced and all(written.rows[place].verdict.prompt is None for place in places):
        wrong = (
            "they name prompts by id, and the ids of the files were replaced, for they differ "
            "between stages; give each row its `prompt`"
        )
    raise ValueError(
        f"None of the {len(places)} verdicts of {path} is on responses of this run: {wrong}. So "
        "nothing was imported. A row needs the prompt (or its id) and both responses as they were "
        "imported; where one of them is no stage's, `generator_1` and `generator_2` say whose they "
        "are."
    )


def _judge(files: Sequence[Path], written: _Written) -> str:
    """Name who decided: as the rows do where they name one, else by the files."""
    named = {row.verdict.judge for row in written.rows}
    if len(named) == 1 and None not in named:
        return str(named.pop())
    return ", ".join(verdicts_id(path) for path in files)
