"""The generated datasets that come with stagelift, by path: word problems and preference pairs."""

from functools import lru_cache

from stagelift.evals.data import instructions, schoolmath

SCHOOLMATH = "bundled/schoolmath"
INSTRUCTIONS = "bundled/instructions"
# where nobody says how many
DEFAULT_ROWS = 4096
_CAPACITY: dict[str, dict[str, int]] = {
    SCHOOLMATH: dict(schoolmath.CAPACITY),
    INSTRUCTIONS: dict(instructions.CAPACITY),
}


def is_bundled(path: str) -> bool:
    """Say whether a path names generated data."""
    return path in _CAPACITY


def bundled_rows(path: str, split: str, limit: int | None) -> list[dict[str, str]]:
    """Generate the first rows of a split: question and answer, or prompt, chosen and rejected.

    Held-out problems have their template as `cluster`.
    """
    count = limit or min(DEFAULT_ROWS, _CAPACITY[path][split])
    return [dict(row) for row in _generated(path, split, count)]


# a command reads the same rows many times
@lru_cache(maxsize=16)
def _generated(path: str, split: str, count: int) -> tuple[dict[str, str], ...]:
    if path == SCHOOLMATH:
        problems = schoolmath.problems(split, count)  # type: ignore[arg-type]  # split is checked
        return tuple(_problem_row(problem, split) for problem in problems)
    pairs = instructions.pairs(split, count)  # type: ignore[arg-type]  # split is checked
    return tuple(
        {"prompt": pair.prompt, "chosen": pair.chosen, "rejected": pair.rejected} for pair in pairs
    )


def _problem_row(problem: schoolmath.WordProblem, split: str) -> dict[str, str]:
    row = {"question": problem.question, "answer": problem.answer}
    return row | {"cluster": problem.template} if split == "held_out" else row


def check_bundled(path: str, split: str, limit: int | None) -> None:
    """Raise ValueError, in a sentence, for a split that cannot give the rows.

    It does not exist, or it holds fewer rows than `limit`.
    """
    capacity = _CAPACITY[path]
    if split not in capacity:
        raise ValueError(f"{path} has no split '{split}'. Its splits: {', '.join(capacity)}.")
    if limit is not None and limit > capacity[split]:
        what = "problems" if path == SCHOOLMATH else "pairs"
        raise ValueError(
            f"{path} has {capacity[split]} different {what} in split '{split}', {limit} were asked "
            "for."
        )


def bundled_fingerprint(path: str, split: str) -> str:
    """Identify the generator."""
    if path != SCHOOLMATH:
        return f"instructions-{instructions.VERSION}/{split}"
    version = schoolmath.VERSIONS[split]  # type: ignore[index]  # split is checked
    return f"schoolmath-{version}/{split}"
