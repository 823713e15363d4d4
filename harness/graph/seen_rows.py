"""The first row of each stage as tokens will see it: in its chat template, special tokens visible,
with what is learnt.

Only the tokenizer is loaded for it, and what was shown before is remembered.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from stagelift.evals.data.source import UnreachableError, local_file
from stagelift.evals.models.model import ModelRef, tokenizer_of
from stagelift.evals.printed import safe_text
from stagelift.evals.records import Record
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.rows import of_tokenizer
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import StageSettings, config_on_paper

# of a part: its beginning and its end, where what is asked goes over into the answer
_CHARACTERS = 240


class SeenPart(Record):
    """A part of a row: its text, bounded, and how many tokens it has; `cut` are those beyond
    `max_length`, which are not trained on.
    """

    name: str
    text: str
    tokens: int
    cut: int
    learnt: bool


class SeenRow(Record):
    """The first row of a dataset as a stage's trainer gets it."""

    dataset: str
    generates: bool
    parts: list[SeenPart]


def seen_rows(plan: Plan) -> list[tuple[str, SeenRow]]:
    """Return a row for each stage that trains, with its name; stages that see the same are one.

    Data on the Hub that cannot be reached now shows nothing.
    """
    names: dict[str, list[str]] = defaultdict(list)
    rows: dict[str, SeenRow] = {}
    for node in plan.nodes:
        row = None if node.settings is None else seen_row(node.settings, node.base)
        if row is not None:
            key = f"{node.kind} {row.model_dump_json()}"
            names[key].append(node.name)
            rows[key] = row
    return [(", ".join(names[key]), row) for key, row in rows.items()]


def seen_row(settings: StageSettings, base: ModelRef) -> SeenRow | None:
    """Return the first row of a stage; None where it cannot be read now."""
    try:
        row = of_tokenizer("seen-row", settings, base, partial(_find_out, settings, base))
    except UnreachableError:
        return None
    return SeenRow.model_validate(row)


def check_rows(plan: Plan) -> None:
    """Check that all rows of local files can be written in the chat template that they are trained
    in. Raises UsageError; what was checked before is remembered.
    """
    for node in plan.nodes:
        if node.settings is None:
            continue
        settings, base = node.settings, node.base
        try:
            of_tokenizer("rows-in-template", settings, base, partial(_check, settings, base))
        except UnreachableError:
            continue
        except ValueError as error:
            raise UsageError(
                f"Stage '{node.name}' cannot train on '{settings.dataset.path}': {error}."
            ) from error


def row_lines(rows: list[tuple[str, SeenRow]]) -> Iterator[str]:
    """Yield what a reader is shown of rows, line by line."""
    for name, row in rows:
        read = sum(part.tokens for part in row.parts)
        learnt = sum(part.tokens for part in row.parts if part.learnt)
        counted = f"{read} tokens" if row.generates else f"{read} tokens, {learnt} of them learnt"
        yield f"{name}, first row of {safe_text(row.dataset)} ({counted}):"
        width = max(len(part.name) for part in row.parts)
        for part in row.parts:
            marks = ["learnt"] if part.learnt else []
            marks += [f"{part.cut} more tokens are cut off"] if part.cut else []
            end = f"  [{', '.join(marks)}]" if marks else ""
            yield f"  {part.name:<{width}}  {part.text}{end}"
        if row.generates:
            yield "  then it generates, and learns from that"


def _check(settings: StageSettings, base: ModelRef) -> None:
    from stagelift.stages.rows.in_template import check_in_template
    from stagelift.stages.rows.training import first_training_rows, read_since, training_rows

    read = training_rows if local_file(settings.dataset) is not None else first_training_rows
    were_texts = "turns" in read_since(settings)
    check_in_template(read(settings), tokenizer_of(base), were_texts=were_texts)


def _find_out(settings: StageSettings, base: ModelRef) -> object:
    from stagelift.stages.rows.as_tokens import row_as_tokens, shown
    from stagelift.stages.rows.training import first_training_rows

    kind, tokenizer = kind_named(settings.kind), tokenizer_of(base)
    first = first_training_rows(settings)[0]
    limit = getattr(config_on_paper(kind, settings.args), "max_length", None)
    parts = row_as_tokens(kind, first, settings.args, tokenizer)
    seen = []
    for part in parts:
        # each answer of a pair comes after the prompt
        before = 0 if part is parts[0] else len(parts[0].tokens)
        room = len(part.tokens) if limit is None else max(0, limit - before)
        kept = part.tokens[:room]
        seen.append(
            SeenPart(
                name=part.name,
                text=_bounded(shown(kept, tokenizer)),
                tokens=len(kept),
                cut=len(part.tokens) - len(kept),
                learnt=part.learnt,
            )
        )
    return SeenRow(dataset=settings.dataset.path, generates=kind.rewarded, parts=seen).model_dump(
        mode="json"
    )


def _bounded(text: str) -> str:
    """Return safe text in one line, its middle left out where it is long."""
    line = safe_text(text).replace("\n", "\\n").replace("\t", "\\t")
    if len(line) <= _CHARACTERS:
        return line
    half = _CHARACTERS // 2
    return f"{line[:half]} ... {line[-half:]}"
