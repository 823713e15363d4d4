"""What comes from outside, changed at random, keeps the laws of its readers (`tests/fuzz`)."""

from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.fuzz.found import FOUND, Found
from tests.fuzz.law import Target, hold
from tests.fuzz.targets import TARGETS
from tests.fuzz.trying import try_cases

QUICK = [target for target in TARGETS if not target.slow]


@pytest.mark.parametrize("target", QUICK, ids=lambda target: target.name)
def test_a_few_cases_keep_the_law(target: Target) -> None:
    tried = try_cases(target, cases=14, seed=0)
    assert tried.broken is None and tried.cases == 14


@pytest.mark.real
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_more_cases_keep_the_law(target: Target) -> None:
    assert try_cases(target, cases=60, seed=1).broken is None


@pytest.mark.parametrize("found", FOUND, ids=lambda found: found.what)
def test_what_broke_a_law_once_keeps_it(found: Found) -> None:
    hold(found.target, found.case())


def test_the_same_seed_tries_the_same_cases() -> None:
    def seen(seed: int) -> list[int]:
        cases: list[int] = []
        try_cases(Target("numbers", st.integers(), lambda case, _: cases.append(case)), 50, seed)
        return cases

    assert seen(1) == seen(1) != seen(2)


def test_a_broken_law_is_told_with_the_smallest_case() -> None:
    def law(case: int, folder: Path) -> None:
        if case >= 1000:
            raise ValueError(f"{case} is too much, in a folder of {len(list(folder.iterdir()))}")

    tried = try_cases(Target("numbers", st.integers(0, 10**6), law), 200, seed=0)
    assert tried.broken == "ValueError: 1000 is too much, in a folder of 0\n1000"
