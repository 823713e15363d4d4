"""Which files and folders are imported, in which order, and which stage each is.

`NAME=FILE` says what a stage is called; a folder stands for the files of results in it.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.imports.formats import READERS, reader_of, recognise
from stagelift.evals.imports.lm_eval_folder import place_of
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.results import STAGE_NAME
from stagelift.evals.imports.seen import Seen, look_at

# of a folder, how deep and how many files are looked at
_DEEPEST, _MOST_FILES = 6, 2000
_SUFFIXES = {".csv", ".eval", ".gz", ".json", ".jsonl", ".ndjson", ".parquet", ".tsv"}
# the order in which models are usually trained: what a name begins with, or ends in
_USUAL_ORDER = ("base", "pretrained", "sft", "dpo", "kto", "orpo", "ppo", "grpo", "rloo")


class Source(NamedTuple):
    """A file, or a folder that is one model's, with the reader that takes it.

    `stage` is the name that was given, None where none was.
    """

    path: Path
    reader: Reader
    stage: str | None = None


class Sources(NamedTuple):
    """What is imported, in the order of stages, and what of folders was passed over."""

    taken: list[Source]
    passed_over: list[Path]
    is_from_folder: bool


def find_sources(places: Sequence[str], wanted: Reader | None = None) -> Sources:
    """Find what `[NAME=]FILE` and folders stand for; `wanted` reads all of them, where given.

    Raises ValueError, in a sentence, where one is not there, is of no format, or is named twice.
    """
    given = [_split(place) for place in places]
    taken: list[Source] = []
    passed_over: list[Path] = []
    for name, path in given:
        inside = _in_folder(path, wanted) if path.is_dir() else None
        if inside is None:
            taken.append(Source(path, reader_of(path, wanted), name))
            continue
        sources, others = inside
        if name is not None and len(sources) > 1:
            raise ValueError(
                f"{name}={path} holds {len(sources)} files of results "
                f"({_listed([source.path for source in sources], path)}), and '{name}' is one "
                f"stage. Name each of them, or give {path} alone."
            )
        taken += [source._replace(stage=name) for source in sources]
        passed_over += others
    _refuse_repeated(taken)
    return Sources(taken, passed_over, is_from_folder=any(path.is_dir() for _, path in given))


def stage_names(sources: Sequence[Source], own_names: Sequence[str]) -> list[str]:
    """Name sources that are one stage each: as given, else by what is in the files where that tells
    them apart, else by file or folder.
    """
    names = list(own_names)
    if len(set(names)) < len(names):
        names = _names_of_paths([source.path for source in sources])
    return [source.stage or name for source, name in zip(sources, names, strict=True)]


def _split(place: str) -> tuple[str | None, Path]:
    """Part `NAME=FILE`; a path with a = in it is one where it is there."""
    name, equals, rest = place.partition("=")
    if not equals or Path(place).exists() or "/" in name:
        return None, _existing(Path(place))
    if not re.fullmatch(STAGE_NAME, name):
        raise ValueError(
            f"A stage cannot be named {name!r}: at most 80 letters, digits and . _ - , the first a "
            "letter or digit."
        )
    return name, _existing(Path(rest))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise ValueError(
            f"'{path}' is neither a file nor a folder. Give a file of results, such as one that "
            "lm-eval or AlpacaEval wrote, or a folder of them."
        )
    if not path.is_file() and not path.is_dir():
        raise ValueError(f"'{path}' is neither a file nor a folder, so it cannot be read.")
    return path


def _in_folder(folder: Path, wanted: Reader | None) -> tuple[list[Source], list[Path]] | None:
    """Find the results in a folder, in the usual order; None where the folder is one model's."""
    if _reader_for(look_at(folder), wanted) is not None:
        return None
    sources: list[Source] = []
    others: list[Path] = []
    for seen in _below(folder):
        if len(sources) + len(others) == _MOST_FILES:
            raise ValueError(
                f"{folder} holds more than {_MOST_FILES:,} files that may be results, the most "
                "that is looked at. Name the files, or a folder in it."
            )
        reader = _reader_for(seen, wanted)
        if reader is None:
            others.append(seen.path)
        else:
            sources.append(Source(seen.path, reader))
    if not sources:
        raise ValueError(_nothing_in(folder, others, wanted))
    return _in_order(sources, folder), others


def _in_order(sources: Sequence[Source], folder: Path) -> list[Source]:
    """Put stages as they were exported, where all say so, else in the usual order."""
    usual = sorted(sources, key=lambda source: _usual_place(source.path, folder))
    places = [place_of(source.path) if source.path.is_dir() else None for source in usual]
    told = [place for place in places if place is not None]
    if len(told) < len(usual):
        return usual
    order = sorted(range(len(usual)), key=lambda at: told[at])
    return [usual[at] for at in order]


def _reader_for(seen: Seen, wanted: Reader | None) -> Reader | None:
    if wanted is None:
        return recognise(seen)
    return wanted if wanted.recognises(seen) else None


def _below(folder: Path, depth: int = 1) -> Iterator[Seen]:
    """Look at files that may hold results, and at folders: one that a reader takes is not entered.

    Hidden ones and links to folders are passed over.
    """
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            seen = look_at(entry)
            if recognise(seen) is not None:
                yield seen
            elif depth < _DEEPEST and not entry.is_symlink() and not _is_of_runs(seen):
                yield from _below(entry, depth + 1)
        elif entry.is_file() and entry.suffix in _SUFFIXES:
            yield look_at(entry)


def _is_of_runs(folder: Seen) -> bool:
    """Say whether a folder is where runs of ours lie: their responses are no results of others."""
    return (folder.path / "nodes").is_dir()


def _nothing_in(folder: Path, others: Sequence[Path], wanted: Reader | None) -> str:
    kind = "that is recognised" if wanted is None else f"that is {wanted.title}"
    known = ", ".join(reader.title for reader in READERS)
    seen = f" It holds {_listed(others, folder)}." if others else ""
    return (
        f"{folder} has no file of results {kind}, so nothing was imported.{seen} Known are {known}."
    )


def _listed(paths: Sequence[Path], folder: Path) -> str:
    shown = ", ".join(path.relative_to(folder).as_posix() for path in paths[:5])
    return f"{shown} and {len(paths) - 5} more" if len(paths) > 5 else shown


def _usual_place(path: Path, folder: Path) -> tuple[int, list[tuple[int, str]]]:
    """Sort by what models of such names are in a chain, then as people count: 2 before 10."""
    name = path.relative_to(folder).as_posix().casefold()
    parts = [re.findall(r"[a-z]+", _plain(part)) for part in name.split("/")]
    ends = {word for words in parts for word in (*words[:1], *words[-1:])}
    places = [place for place, word in enumerate(_USUAL_ORDER) if word in ends]
    numbered = re.findall(r"(\d+)|(\D+)", name)
    natural = [(int(digits) if digits else -1, other) for digits, other in numbered]
    return max(places, default=len(_USUAL_ORDER)), natural


def _names_of_paths(paths: Sequence[Path]) -> list[str]:
    """Name paths by the last part that tells them apart: the file, or a folder above it."""
    resolved = [path.resolve() for path in paths]
    depth = min(len(path.parts) for path in resolved)
    levels = [[_plain(path.parts[-level]) for path in resolved] for level in range(1, depth)]
    joined = [["-".join(map(_plain, path.parts[-level:])) for path in resolved] for level in (2, 3)]
    tried = [*levels, *joined]
    apart = (names for names in tried if len(set(names)) == len(names) and all(names))
    return next(apart, [f"stage-{number}" for number in range(1, len(paths) + 1)])


def _plain(name: str) -> str:
    """Make a stage's name of a file's: without endings, and without what lm-eval adds."""
    stem = re.sub(r"(\.(csv|eval|gz|json|jsonl|ndjson|parquet|tsv))+$", "", name)
    task = re.fullmatch(r"samples_(.+)_\d{4}-\d\d-\d\dT[\d.:_-]+", stem)
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", task[1] if task else stem).strip("-._")
    return kept[:80]


def _refuse_repeated(sources: Sequence[Source]) -> None:
    files = [source.path.resolve() for source in sources]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} is given twice. A file is one stage; leave one of them out.")
