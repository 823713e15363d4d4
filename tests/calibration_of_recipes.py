"""Recipes in the gate: how often it errs, and whether it has the power that it prints.

    python -m tests.calibration_of_recipes

Answers are right or wrong. How hard problems are is drawn from a beta distribution (many are always
or never solved), what a seed does to all problems from a normal one, on the logit scale, and every
training answers every problem anew. It measures nothing where seeds do other than that.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean, median

import numpy as np
from scipy.stats import binom

from stagelift.evals.stats.two_levels import (
    Parts,
    detectable,
    power,
    recipe_difference,
    seeds_needed,
)

MARGIN = 0.02
TRIALS = 2000
# both parameters of the beta distribution
HARDNESS = 0.6
# the variance of an answer: the mean of p (1 - p)
OF_ONE_PROBLEM = 0.5 * HARDNESS / (2 * HARDNESS + 1)
# of problems that another recipe finds easier or harder
CHANGED = 0.2


@dataclass(frozen=True)
class World:
    """Two recipes: seeds of candidate and baseline, and how much a seed moves the accuracy of each
    (sd, as a share).

    `changed` is the share of problems that the candidate finds easier or harder than the baseline
    does, at equal accuracy; `shift` is how much more accurate it is.
    """

    seeds: tuple[int, int]
    spread: float
    problems: int
    baseline_spread: float | None = None
    changed: float = 0.0
    shift: float = 0.0


@dataclass(frozen=True)
class Rates:
    """How often the gate said regressed, and not worse by the margin."""

    regressed: float
    passed: float


def main() -> None:
    """Print the tables."""
    begun = time.perf_counter()
    sys.stdout.write(
        f"Rates of {TRIALS:,} simulated checks; one that errs at 5% stays below {most():.1%} in "
        "999 of 1,000.\n\n"
    )
    _print_table(_ERRORS, map(_errors, WORLDS))
    _print_table(_UNEVEN, map(_errors_if_uneven, UNEVEN))
    _print_table(_DECIDED, map(_decided, DECIDED))
    sys.stdout.write(f"{time.perf_counter() - begun:.0f} s\n")


def most(trials: int = TRIALS, rate: float = 0.05) -> float:
    """Return the rate that a gate which errs at `rate` stays below in 999 of 1,000 simulations."""
    return float(binom.ppf(0.999, trials, rate)) / trials


def rates(world: World, trials: int = TRIALS, margin: float = MARGIN) -> Rates:
    """Simulate checks; they come out the same every time."""
    rng = np.random.default_rng(_seed(world))
    regressed = passed = 0
    for _ in range(trials):
        candidate, baseline = answers(rng, world)
        found = recipe_difference(candidate, baseline, bound=1.0, confidence=0.90)
        regressed += found.high < 0
        passed += found.low > -margin
    return Rates(regressed / trials, passed / trials)


def answers(rng: np.random.Generator, world: World) -> tuple[np.ndarray, np.ndarray]:
    """Draw right (1) and wrong (0) answers of candidate and baseline, by seed and problem."""
    chances = rng.beta(HARDNESS, HARDNESS, world.problems)
    changed = rng.random(world.problems) < world.changed
    others = np.where(changed, rng.beta(HARDNESS, HARDNESS, world.problems), chances)
    baseline_spread = world.spread if world.baseline_spread is None else world.baseline_spread
    baseline = rng.normal(0, baseline_spread, world.seeds[1])
    candidate = rng.normal(world.shift, world.spread, world.seeds[0])
    return _answered(rng, others, candidate), _answered(rng, chances, baseline)


def _answered(rng: np.random.Generator, chances: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Draw the answers of trainings whose accuracy is moved so far: problems that are sometimes
    solved move most.
    """
    weights = chances * (1 - chances) / OF_ONE_PROBLEM
    moved = np.clip(chances + moves[:, np.newaxis] * weights, 0, 1)
    drawn: np.ndarray = (rng.random(moved.shape) < moved).astype(float)
    return drawn


def parts(world: World) -> Parts:
    """Return the true parts of a world whose two recipes spread alike."""
    within = (OF_ONE_PROBLEM - world.spread**2) / world.problems
    hardness = 0.25 / (2 * HARDNESS + 1)
    return Parts(
        training=float(np.sqrt(world.spread**2 + within)),
        within=float(np.sqrt(within)),
        problems=float(np.sqrt(world.changed * 2 * hardness / world.problems)),
        units=world.problems,
    )


SIDES = (2, 3, 5)
WORLDS = [
    World((0, 0), spread, problems)
    for problems in (64, 200, 1319)
    for spread in (0.0, 0.01, 0.03, 0.05)
]
# candidates of one training, other uneven counts, and recipes that do not spread alike
UNEVEN = ((1, 2), (1, 3), (1, 5), (2, 5), (5, 2), (2, 2), (3, 3), (5, 5))
SPREADS = ((0.03, 0.03), (0.03, 0.01), (0.01, 0.03))
# with a margin that some number of seeds decides
DECIDED = [
    (World((0, 0), spread, problems, changed=CHANGED), margin)
    for problems, spread, margin in (
        (200, 0.0, 0.05),
        (200, 0.01, 0.05),
        (200, 0.03, 0.05),
        (1319, 0.0, 0.02),
        (1319, 0.01, 0.02),
        (1319, 0.03, 0.05),
        (1319, 0.05, 0.05),
    )
]
_ERRORS = (
    "problems",
    "seed sd",
    "same recipe: regressed, with 2 / 3 / 5 seeds a side",
    "equal recipe: regressed",
    "worse by the margin: passed",
    "fall shown with 80%, in points",
    "it was shown in",
)
_UNEVEN = (
    "seeds, candidate and baseline",
    "equal recipe: regressed, with seed sd 3 and 3 / 3 and 1 / 1 and 3",
    "worse by the margin: passed",
)
_DECIDED = (
    "problems",
    "seed sd",
    "margin",
    "seeds a side that decide with 80%",
    "they decided in",
    "inconclusive checks say, with 2 / 3 / 5 seeds a side (median)",
    "which decide in",
)


def _print_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Print Markdown, row by row as they come."""
    for row in chain([header, ("---:",) * len(header)], rows):
        sys.stdout.write(f"| {' | '.join(row)} |\n")
        sys.stdout.flush()
    sys.stdout.write("\n")


def _errors(world: World) -> tuple[str, ...]:
    same = [replace(world, seeds=(seeds, seeds)) for seeds in SIDES]
    equal = [replace(side, changed=CHANGED) for side in same]
    falls = [detectable(parts(side), side.seeds) for side in equal]
    fallen = [replace(side, shift=-fall) for side, fall in zip(equal, falls, strict=True)]
    return (
        f"{world.problems:,}",
        f"{100 * world.spread:g}",
        _joined(f"{rates(side).regressed:.3f}" for side in same),
        _joined(f"{rates(side).regressed:.3f}" for side in equal),
        _joined(f"{rates(replace(side, shift=-MARGIN)).passed:.3f}" for side in equal),
        _joined(f"{100 * fall:.1f}" for fall in falls),
        _joined(f"{rates(side).regressed:.0%}" for side in fallen),
    )


def _errors_if_uneven(seeds: tuple[int, int]) -> tuple[str, ...]:
    equal = [World(seeds, one, 200, other, changed=CHANGED) for one, other in SPREADS]
    return (
        "{} and {}".format(*seeds),
        _joined(f"{rates(world).regressed:.3f}" for world in equal),
        _joined(f"{rates(replace(world, shift=-MARGIN)).passed:.3f}" for world in equal),
    )


def _decided(case: tuple[World, float]) -> tuple[str, ...]:
    world, margin = case
    seeds = seeds_needed(parts(world), margin)
    assert seeds is not None, f"no number of seeds decides in {world}"
    said = [_said(replace(world, seeds=(side, side)), margin) for side in SIDES]
    return (
        f"{world.problems:,}",
        f"{100 * world.spread:g}",
        f"{100 * margin:g}",
        str(seeds),
        f"{rates(replace(world, seeds=(seeds, seeds)), margin=margin).passed:.0%}",
        _joined(f"{median(numbers):g}" for numbers in said),
        _joined(
            f"{fmean(power(parts(world), (number, number), margin) for number in numbers):.0%}"
            for numbers in said
        ),
    )


def _said(world: World, margin: float, checks: int = 300) -> list[int]:
    """Return how many seeds inconclusive checks of equal recipes say would decide."""
    rng = np.random.default_rng(_seed(world))
    said = []
    for _ in range(checks):
        found = recipe_difference(*answers(rng, world), bound=1.0, confidence=0.90)
        inconclusive = found.low <= -margin and found.high >= 0
        if inconclusive and found.parts is not None:
            said.append(seeds_needed(found.parts, margin))
    return [number for number in said if number is not None]


def _joined(cells: Iterable[str]) -> str:
    return " / ".join(cells)


def _seed(world: World) -> list[int]:
    """Seed every world by itself, so that what chance does to one is not done to all."""
    shares = (world.spread, world.baseline_spread or 0.0, world.changed, -world.shift)
    return [*world.seeds, world.problems, *(round(1000 * share) for share in shares)]


if __name__ == "__main__":
    main()
