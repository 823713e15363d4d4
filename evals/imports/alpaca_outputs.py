"""AlpacaEval's `model_outputs.json`: what models answered, before a judge has compared them.

Outputs become responses, and have lengths. They have no targets: what can be compared besides is
what a judge says of them.
"""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stagelift.evals.imports.alpaca_eval import instruction_id
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import Imported, ImportedStage, read_valid
from stagelift.evals.imports.seen import Seen
from stagelift.evals.metrics.scoring import score
from stagelift.evals.records import Generation

# what an output is called whose generator is not named
_UNNAMED = "outputs"


class OutputRow(BaseModel):
    """One output; keys beyond these are left alone."""

    model_config = ConfigDict(strict=True)

    instruction: str
    output: str
    generator: str = _UNNAMED


def read_alpaca_outputs(path: Path) -> Imported:
    """Read a file; every `generator` is a stage.

    Raises ValueError for malformed rows, and an instruction that a generator answers twice.
    """
    models: dict[str, dict[str, tuple[int, OutputRow]]] = {}
    for number, row in read_valid(path, OutputRow):
        known = models.setdefault(row.generator, {})
        if row.instruction in known:
            raise ValueError(
                f"{path}, rows {known[row.instruction][0]} and {number} are the same instruction "
                f"of '{row.generator}', so nothing was imported."
            )
        known[row.instruction] = (number, row)
    stages = [_stage(name, [row for _, row in rows.values()]) for name, rows in models.items()]
    return Imported(stages, ", ".join(models), {"task": "alpaca_eval"})


def _stage(name: str, rows: list[OutputRow]) -> ImportedStage:
    generations = [
        Generation(
            id=instruction_id(row.instruction),
            group="test",
            prompt=row.instruction,
            response=row.output,
            n_tokens=None,
            finish_reason=None,
        )
        for row in rows
    ]
    scores = [score(generation, generation.prompt, None) for generation in generations]
    return ImportedStage(name, generations, scores, [], {})


def _is_theirs(seen: Seen) -> bool:
    return {"instruction", "output"} <= seen.keys and not {"output_1", "prompt"} & seen.keys


ALPACA_OUTPUTS = Reader(
    name="alpaca-outputs",
    title="a model's outputs for AlpacaEval",
    how_to_get="AlpacaEval's model_outputs.json: instruction, output and generator",
    recognises=_is_theirs,
    read=read_alpaca_outputs,
)
