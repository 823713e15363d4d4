"""What an evaluation and its judges leave on disk: the files' names, and the order of writing.

`result.json` comes last: where it is, an evaluation is complete.
"""

import hashlib
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from stagelift.evals.files import (
    read_numbered,
    read_record,
    read_records,
    records_text,
    write_numbered,
    write_record,
    write_records,
)
from stagelift.evals.hashes import (
    HASHES,
    MISSING,
    UNREADABLE,
    Damage,
    DamagedError,
    compared,
    files_in,
    finish_folder,
    hashes_of,
    replace_hashed,
    write_hashes_again,
)
from stagelift.evals.records import (
    ChoiceScore,
    EvalResult,
    Generation,
    GoldAgreement,
    PairScore,
    PassageScore,
    Record,
    Score,
    SmallerBatch,
    TaskScore,
    Timing,
    Verdict,
    Vote,
)
from stagelift.evals.strict_json import read_json
from stagelift.evals.whole import replaced_folder

# of the files of gold agreements; those of earlier code have no number, and no hash
_GOLD_SCHEMA = 1
_GENERATIONS = "generations.jsonl"
_TIMINGS = "timings.jsonl"
_PAIRS = "pairs.jsonl"
_CHOICES = "choices.jsonl"
_PASSAGES = "passages.jsonl"
_TASKS = "tasks"
# characters, of the 255 that a file's name can have
_LONGEST_NAME = 150
_SCORES = "scores.jsonl"
_VERDICTS = "verdicts.jsonl"
_VOTES = "votes.jsonl"
RESULT = "result.json"
SMALLER_BATCH = "smaller_batch.json"
_REPEAT = "-repeat-"
# what a model was asked; reading it again, or judging it again, changes nothing of this
_ASKED = (_GENERATIONS, _TIMINGS, _PAIRS, _CHOICES, _PASSAGES, _TASKS)
# nor of what people said of the answers
_KEPT = (*_ASKED, _VOTES)
# they say how long it took: all other files have the same bytes whenever they are made
NOT_REPRODUCIBLE = (_TIMINGS, RESULT)
REMEDY = (
    "`stagelift verify RUN` names every such file, and `stagelift run RECIPE --repair` makes it "
    "anew."
)


@dataclass(frozen=True)
class EvaluationFolder:
    """One model under one contract.

    A model is asked first, bit by bit: `generations`, `timings`, `pairs`, `choices`, `passages`
    and `task` are the files to append to. `finish` writes how the answers were read and judged,
    and the result.
    """

    path: Path

    @property
    def generations(self) -> Path:
        """The file of what the model wrote."""
        return self.path / _GENERATIONS

    @property
    def scores(self) -> Path:
        """The file of how responses were read."""
        return self.path / _SCORES

    @property
    def verdicts(self) -> Path:
        """The file of how responses were judged."""
        return self.path / _VERDICTS

    @property
    def votes(self) -> Path:
        """The file of what people said of the responses; it comes after everything else, if at
        all.
        """
        return self.path / _VOTES

    @property
    def result(self) -> Path:
        """The file of the metrics; where it is, everything else is, too."""
        return self.path / RESULT

    @property
    def timings(self) -> Path:
        """The file of how long each batch of responses took."""
        return self.path / _TIMINGS

    @property
    def pairs(self) -> Path:
        """The file of log-probabilities of held-out preference pairs."""
        return self.path / _PAIRS

    @property
    def choices(self) -> Path:
        """The file of log-probabilities of answers to questions with several."""
        return self.path / _CHOICES

    @property
    def passages(self) -> Path:
        """The file of log-probabilities of plain text."""
        return self.path / _PASSAGES

    @property
    def tasks(self) -> Path:
        """The folder of what lm-eval's tasks measured."""
        return self.path / _TASKS

    def read_smaller_batch(self) -> SmallerBatch | None:
        """Read in which parts requests are worked on since memory ran out; None where it has
        not.
        """
        file = self._smaller_batch
        return read_record(file, SmallerBatch) if file.exists() else None

    def write_smaller_batch(self, batch: SmallerBatch) -> None:
        """Write that memory ran out: whoever goes on works on fewer requests at once."""
        write_record(self._smaller_batch, batch)

    @property
    def _smaller_batch(self) -> Path:
        return self.path / SMALLER_BATCH

    def under(self, contract_id: str) -> "EvaluationFolder":
        """Return the folder of the same under another contract; a repetition stays one."""
        _, repeat, number = self.path.name.partition(_REPEAT)
        return EvaluationFolder(self.path.with_name(f"{contract_id}{repeat}{number}"))

    def is_complete(self) -> bool:
        """Say whether the result is there, and with it everything else."""
        return self.result.exists()

    def read_generations(self) -> list[Generation]:
        """Read what the model wrote."""
        return read_records(self.generations, Generation)

    def read_timings(self) -> list[Timing]:
        """Read how long batches took; empty where that was not measured."""
        return read_records(self.timings, Timing)

    def read_pairs(self) -> list[PairScore]:
        """Read the log-probabilities of pairs; empty where none were asked for."""
        return read_records(self.pairs, PairScore)

    def read_choices(self) -> list[ChoiceScore]:
        """Read what became of questions with several answers; empty where none were asked."""
        return read_records(self.choices, ChoiceScore)

    def read_passages(self) -> list[PassageScore]:
        """Read what became of plain text; empty where none was read."""
        return read_records(self.passages, PassageScore)

    def read_task_scores(self) -> list[TaskScore]:
        """Read the scores of all lm-eval tasks, task by task."""
        files = sorted(self.tasks.glob("*.jsonl"))
        return [score for file in files for score in read_records(file, TaskScore)]

    def read_scores(self) -> list[Score]:
        """Read how the responses were read."""
        return read_records(self.scores, Score)

    def read_verdicts(self) -> list[Verdict]:
        """Read how the responses were judged."""
        return read_records(self.verdicts, Verdict)

    def read_votes(self) -> list[Vote]:
        """Read what people said of the responses; empty where nobody was asked."""
        return read_records(self.votes, Vote)

    def write_votes(self, votes: Sequence[Vote]) -> None:
        """Replace what people said of the responses."""
        replace_hashed(self.path, self.votes, records_text(votes))

    def read_result(self) -> EvalResult:
        """Read the result. Raises OSError where there is none, ValueError where it is damaged."""
        result = read_record(self.result, EvalResult)
        damages = compared(self.path, [self.result], by_name=[RESULT])
        if damages:
            raise DamagedError(damages, REMEDY)
        return result

    def damages(self) -> list[Damage]:
        """Return which files are not what was written, or cannot be read, or are missing.

        Of what is unfinished, or was written without hashes, only whether it can be read is known.
        """
        found = self._differing() if self.is_complete() else None
        return self.unreadable() if found is None else found

    def hashes(self) -> dict[str, str]:
        """Return the hashes of the files by name; empty where earlier code wrote them."""
        return hashes_of(self.path, [self.result])

    def is_hashed(self) -> bool:
        """Say whether it was written with hashes."""
        return bool(self.hashes())

    def compared_names(self) -> list[str]:
        """Name the files that evaluations of later stages are compared with."""
        return [_GENERATIONS, _SCORES, _PAIRS]

    def made_again(self, damaged: Collection[str], *, asked: bool) -> list[str]:
        """Name the files that are made anew where some are damaged, the result last: until then it
        says that they are missing.

        What was asked stays where it is whole, unless all of it is `asked` again. Responses and how
        long they took go together, and so do the files of a task.
        """
        again = {name for name in damaged if name in _ASKED or name.startswith(f"{_TASKS}/")}
        if again & {_GENERATIONS, _TIMINGS}:
            again |= {_GENERATIONS, _TIMINGS, _VOTES}
        for name in [name for name in again if name.startswith(f"{_TASKS}/")]:
            stem = name.removesuffix(".jsonl").removesuffix(".json")
            again |= {f"{stem}.jsonl", f"{stem}.json"}
        every = _KEPT if asked else ()
        return [*sorted({*again, *every}), _SCORES, _VERDICTS, HASHES, RESULT]

    def write_hashes_again(self) -> None:
        """Write the file of hashes from the result, which repeats them."""
        write_hashes_again(self.path, [self.result])

    def unreadable(self) -> list[Damage]:
        """Return which files are missing or cannot be read, whatever their hashes."""
        found = self._lost()
        for file, kind in self._files():
            try:
                if file == self.result:
                    read_record(file, kind)
                else:
                    read_records(file, kind)
            except ValueError:
                found.append(Damage(file, UNREADABLE))
        for metrics in sorted(self.tasks.glob("*.json")):
            try:
                read_json(metrics)
            except ValueError:
                found.append(Damage(metrics, UNREADABLE))
        return found

    def _differing(self) -> list[Damage] | None:
        """Return which files are not what was written; None where no hashes were.

        Whoever takes votes back deletes their file.
        """
        found = compared(self.path, [self.result])
        return found and [damage for damage in found if damage != Damage(self.votes, MISSING)]

    def _lost(self) -> list[Damage]:
        """Return what a complete evaluation without hashes lacks."""
        needed = (self.generations, self.scores) if self.is_complete() else ()
        return [Damage(file, MISSING) for file in needed if not file.exists()]

    def _files(self) -> list[tuple[Path, type[Record]]]:
        """Return the files that are there, with what is in them."""
        kinds: dict[Path, type[Record]] = {
            self.generations: Generation,
            self.timings: Timing,
            self.pairs: PairScore,
            self.choices: ChoiceScore,
            self.passages: PassageScore,
            self.scores: Score,
            self.verdicts: Verdict,
            self.votes: Vote,
            self.result: EvalResult,
            **dict.fromkeys(sorted(self.tasks.glob("*.jsonl")), TaskScore),
        }
        return [(file, kind) for file, kind in kinds.items() if file.exists()]

    def read_all(self) -> "StoredEvaluation":
        """Read every record of a finished evaluation.

        Raises ValueError where one is missing or cannot be read, or is not what was written.
        """
        damages = self._differing()
        if damages is None:
            damages = self._lost()
        if damages:
            raise DamagedError(damages, REMEDY)
        return StoredEvaluation(
            files=self,
            result=self.read_result(),
            generations=self.read_generations(),
            scores=self.read_scores(),
            verdicts=self.read_verdicts(),
            pairs=self.read_pairs(),
            choices=self.read_choices(),
            passages=self.read_passages(),
            task_scores=self.read_task_scores(),
            timings=self.read_timings(),
            votes=self.read_votes(),
        )

    def finish(
        self, scores: Sequence[Score], verdicts: Sequence[Verdict], result: EvalResult
    ) -> None:
        """Write what came of the answers, the result last."""
        write_records(self.scores, scores)
        write_records(self.verdicts, verdicts)
        written = files_in(self.path, HASHES, RESULT, SMALLER_BATCH, _VOTES)
        finish_folder(self.path, written, self.result, result)
        # later votes replace them: the result does not repeat their hash
        if self.votes.exists():
            self.write_votes(self.read_votes())
        # the result says it
        self._smaller_batch.unlink(missing_ok=True)

    def finish_from(
        self,
        asked: "EvaluationFolder",
        scores: Sequence[Score],
        verdicts: Sequence[Verdict],
        result: EvalResult,
    ) -> None:
        """Finish with the answers of another folder; all of it appears in one rename."""
        with replaced_folder(self.path) as beside:
            for name in _KEPT:
                if (asked.path / name).is_dir():
                    shutil.copytree(asked.path / name, beside / name)
                elif (asked.path / name).exists():
                    shutil.copyfile(asked.path / name, beside / name)
            EvaluationFolder(beside).finish(scores, verdicts, result)


def evaluation_folder(folder: Path, contract_id: str, repeat: int) -> EvaluationFolder:
    """Return where in a folder a model is evaluated under a contract, or once more under it."""
    name = f"{contract_id}{_REPEAT}{repeat}" if repeat else contract_id
    return EvaluationFolder(folder / name)


@dataclass(frozen=True)
class StoredEvaluation:
    """Every record that a finished evaluation left in its folder."""

    files: EvaluationFolder
    result: EvalResult
    generations: list[Generation]
    scores: list[Score]
    verdicts: list[Verdict]
    pairs: list[PairScore]
    choices: list[ChoiceScore]
    passages: list[PassageScore]
    task_scores: list[TaskScore]
    timings: list[Timing]
    votes: list[Vote] = field(default_factory=list)


@dataclass(frozen=True)
class TaskFiles:
    """What one of lm-eval's tasks leaves in an evaluation's `tasks`; the metrics come last.

    A task that was imported may be called anything, and its files stay in the folder.
    """

    folder: Path
    name: str

    @property
    def scores(self) -> Path:
        """The file of what each document is worth."""
        return self.folder / f"{_file_name(self.name)}.jsonl"

    @property
    def metrics(self) -> Path:
        """The file of the task's metrics."""
        return self.folder / f"{_file_name(self.name)}.json"


def _file_name(name: str) -> str:
    """Write a name as a file can be called on any system, and no two names alike."""
    safe = quote(name, safe=" ")
    if len(safe) <= _LONGEST_NAME:
        return safe
    return f"{safe[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


@dataclass(frozen=True)
class JudgesFolder:
    """What is known of judges, whichever run asked."""

    path: Path

    @property
    def answers(self) -> Path:
        """The file of what servers answered."""
        return self.path / "answers.jsonl"

    def gold_agreement(self, identity: str) -> Path:
        """The file of how a judge agrees with gold pairs; `identity` says which judge and pairs."""
        return self.path / f"gold-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.json"

    def read_gold(self, path: Path) -> GoldAgreement:
        """Read such a file. Raises ValueError, in a sentence, where it is not what was written."""
        return read_numbered(path, GoldAgreement, _GOLD_SCHEMA)

    def write_gold(self, path: Path, agreement: GoldAgreement) -> None:
        """Write such a file, with its own hash."""
        write_numbered(path, agreement.model_dump(mode="json"), _GOLD_SCHEMA)

    def gold_agreements(self) -> list[Path]:
        """Return the files of how judges agree with gold pairs."""
        return sorted(self.path.glob("gold-*.json"))
