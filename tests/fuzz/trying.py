"""Tries many cases of a target: the same ones for the same seed."""

from dataclasses import dataclass

import hypothesis
from hypothesis import HealthCheck, Phase

from tests.fuzz.law import Target, hold


@dataclass(frozen=True)
class Tried:
    """How many cases were tried, and what broke the law: the smallest case, and the error."""

    cases: int
    broken: str | None = None


def try_cases(target: Target, cases: int, seed: int) -> Tried:
    """Try up to so many cases of a target; one that breaks the law is made as small as possible."""
    count = 0
    latest: object = None

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=cases,
        database=None,
        deadline=None,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(target.cases)
    def keeps_the_law(case: object) -> None:
        nonlocal count, latest
        count += 1
        latest = case
        hold(target, case)

    try:
        keeps_the_law()
    # the last case that was tried is the smallest that breaks the law
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
        problem = f"{type(error).__name__}: {error}".split("\nFalsifying example")[0]
        return Tried(count, f"{problem[:600]}\n{latest!r:.3000}")
    return Tried(count)
