"""AlpacaEval's `annotations.json`: a judge's verdicts on a model's outputs against a reference's,
and their lengths.

`preference` runs from 1 (the reference's output is better) to 2 (the model's is), so the win rate
is mean(preference - 1); a draw may be written 0. A pair without a verdict (null, NaN, -1) is left
out of the rate, as AlpacaEval does. Each pair was judged once: in one order.
"""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator

from stagelift.evals.data.preference_value import read_preference
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.imports.seen import Seen
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation, Verdict


class AnnotationRow(BaseModel):
    """One annotation; keys beyond these (prices, raw completions) are left alone."""

    model_config = ConfigDict(strict=True)

    instruction: str
    output_1: str
    output_2: str
    generator_1: str
    generator_2: str
    annotator: str
    preference: float | None

    @field_validator("preference")
    @classmethod
    def _within_bounds(cls, value: float | None) -> float | None:
        """Draws become 1.5, and what is no verdict None."""
        return read_preference(value)


def read_alpaca_eval(path: Path) -> Imported:
    """Read a file; every `generator_2` is a stage.

    Raises ValueError for malformed rows, duplicates and mixed judges.
    """
    lines = read_valid(path, AnnotationRow)
    reference = _only_value(path, "generator_1", {row.generator_1 for _, row in lines})
    annotator = _only_value(path, "annotator", {row.annotator for _, row in lines})
    models: dict[str, dict[str, tuple[int, AnnotationRow]]] = {}
    for number, row in lines:
        known = models.setdefault(row.generator_2, {})
        if row.instruction in known:
            raise ValueError(
                f"{path}, lines {known[row.instruction][0]} and {number} are the same instruction "
                f"of '{row.generator_2}', so nothing was imported."
            )
        known[row.instruction] = (number, row)
    _refuse_unequal_instructions(path, models)
    stages = [_stage(name, [row for _, row in rows.values()]) for name, rows in models.items()]
    contract = {"judge": annotator, "reference": reference}
    return Imported(stages, ", ".join(models), contract, _without_verdict(stages))


def _refuse_unequal_instructions(
    path: Path, models: dict[str, dict[str, tuple[int, AnnotationRow]]]
) -> None:
    first, *others = models
    for name in others:
        differing = models[first].keys() ^ models[name].keys()
        if differing:
            raise ValueError(
                f"'{first}' and '{name}' of {path} answer different instructions "
                f"({len(differing)} differ), so nothing was imported. Import one a time."
            )


def _without_verdict(stages: list[ImportedStage]) -> tuple[str, ...]:
    counts = {
        stage.name: sum(verdict.score is None for verdict in stage.verdicts) for stage in stages
    }
    return tuple(
        f"{count} pairs of '{name}' have no verdict: they are left out of its win rate, as "
        "AlpacaEval does"
        for name, count in counts.items()
        if count
    )


def _only_value(path: Path, name: str, values: set[str]) -> str:
    if len(values) > 1:
        raise ValueError(
            f"{path} mixes several values of {name} ({', '.join(sorted(values))}), which cannot be "
            "compared. Import one a time."
        )
    return values.pop()


def _stage(name: str, rows: list[AnnotationRow]) -> ImportedStage:
    generations = [_generation(row) for row in rows]
    scores = [score(generation, generation.prompt, None) for generation in generations]
    return ImportedStage(name, generations, scores, [_verdict(row) for row in rows], {})


def _generation(row: AnnotationRow) -> Generation:
    return Generation(
        id=instruction_id(row.instruction),
        group="test",
        prompt=row.instruction,
        response=row.output_2,
        n_tokens=None,
        finish_reason=None,
    )


def _verdict(row: AnnotationRow) -> Verdict:
    return Verdict(
        id=instruction_id(row.instruction),
        against="reference",
        score=None if row.preference is None else row.preference - 1,
        length_difference=len(row.output_2) - len(row.output_1),
        reason=f"{row.annotator} against {row.generator_1}",
    )


def instruction_id(instruction: str) -> str:
    """Annotations have no ids: the instruction is what two files share."""
    return f"alpaca_eval/{hashlib.sha256(instruction.encode()).hexdigest()[:16]}"


def _is_alpaca_eval(seen: Seen) -> bool:
    return {"instruction", "output_1", "output_2"} <= seen.keys


ALPACA_EVAL = Reader(
    name="alpaca-eval",
    title="AlpacaEval's annotations",
    how_to_get="AlpacaEval's annotations.json, one judged pair a row",
    recognises=_is_alpaca_eval,
    read=read_alpaca_eval,
)
