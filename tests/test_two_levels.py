"""Recipes compared over seeds and problems."""

from math import hypot, sqrt

import numpy as np
import pytest
from scipy import stats

from stagelift.evals.stats.difference import difference
from stagelift.evals.stats.two_levels import (
    Parts,
    detectable,
    power,
    recipe_difference,
    seeds_needed,
    two_sided_p,
)
from tests.calibration_of_recipes import World, most, rates

CANDIDATE = np.array([[1.0, 0, 0, 0], [1, 1, 0, 0]])
BASELINE = np.array([[1.0, 1, 1, 0], [1, 1, 0, 0]])


def test_two_seeds_a_side_have_the_interval_worked_by_hand() -> None:
    found = recipe_difference(CANDIDATE, BASELINE, bound=1, confidence=0.90)
    assert (found.delta, found.n, found.seeds) == (-0.25, 4, (2, 2))
    # means .25 and .5 against .75 and .5: variance 1/32 a side
    assert found.parts is not None
    assert found.parts.training**2 == pytest.approx(1 / 32)
    # what is left of each row by seed and problem: three times 1/8 and once 3/8
    assert found.parts.within**2 == pytest.approx(1 / 32)
    # problems differ less than seeds alone would make them
    assert found.parts.problems == 0
    half = stats.t.ppf(0.95, 2) * sqrt(1 / 32)
    assert (found.low, found.high) == pytest.approx((-0.25 - half, -0.25 + half))


def test_without_several_seeds_it_is_the_interval_of_two_checkpoints() -> None:
    candidate, baseline = CANDIDATE[:1], BASELINE[:1]
    found = recipe_difference(candidate, baseline, bound=1)
    plain = difference((candidate - baseline)[0].tolist(), bound=1)
    assert found.parts is None
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_the_p_is_that_of_the_interval_that_ends_at_zero() -> None:
    candidate, baseline = np.tile(CANDIDATE, 25), np.tile(BASELINE, 25)
    p = two_sided_p(candidate, baseline, bound=1)
    found = recipe_difference(candidate, baseline, bound=1, confidence=1 - p)
    assert found.delta < 0 and found.high == pytest.approx(0, abs=1e-7)
    # seeds decide: t is -.25 over the root of 1/32, with 2 degrees of freedom
    assert p == pytest.approx(2 * stats.t.sf(0.25 * sqrt(32), 2), abs=1e-6)
    assert two_sided_p(candidate, candidate, bound=1) == 1


def test_where_seeds_change_nothing_it_is_the_interval_over_problems() -> None:
    candidate, baseline = CANDIDATE[[0, 0, 0]], BASELINE[[0, 0]]
    found = recipe_difference(candidate, baseline, bound=1)
    plain = difference((CANDIDATE - BASELINE)[0].tolist(), bound=1)
    assert (found.low, found.high) == pytest.approx((plain.low, plain.high))


def test_one_training_is_held_against_what_one_more_of_the_recipe_would_be() -> None:
    problems = np.arange(40.0)
    baseline = np.stack([problems + 10, problems + 12, problems + 14])
    candidate = np.stack([problems + 12 + np.tile([-1, 1], 20)])
    found = recipe_difference(candidate, baseline, bound=1000, confidence=0.90)
    assert found.delta == 0
    over_problems = difference((candidate[0] - baseline[1]).tolist(), bound=1000, confidence=0.90)
    # sd 2, of one training and the mean of three
    over_seeds = stats.t.ppf(0.95, 2) * 2 * sqrt(1 + 1 / 3)
    assert found.high == pytest.approx(hypot(over_problems.high, over_seeds))


def test_it_is_never_surer_of_recipes_than_of_their_checkpoints() -> None:
    candidate = np.array([[1.0, 0, 1, 0, 0, 1] * 10, [0.0, 1, 1, 0, 1, 0] * 10])
    baseline = np.array([[0.0, 1, 0, 1, 0, 1] * 10, [1.0, 0, 0, 1, 1, 0] * 10])
    found = recipe_difference(candidate, baseline, bound=1)
    gaps = candidate.mean(axis=0) - baseline.mean(axis=0)
    over_problems = difference(gaps.tolist(), bound=1)
    assert found.parts is not None and found.parts.training == 0
    assert (found.low, found.high) == pytest.approx((over_problems.low, over_problems.high))


def test_clusters_of_equal_problems_are_one_problem_each() -> None:
    twice = [np.repeat(side, 2, axis=1) for side in (CANDIDATE, BASELINE)]
    clustered = recipe_difference(*twice, bound=1, clusters=list("aabbccdd"))
    apart = recipe_difference(CANDIDATE, BASELINE, bound=1)
    assert clustered.parts == apart.parts and clustered.n == 8


def test_power_over_seeds_alone_is_that_of_a_t_test() -> None:
    parts = Parts(training=0.02, within=0.0, problems=0.0, units=1000)
    for seeds in ((2, 2), (3, 3), (5, 5), (1, 4)):
        freedom, error = sum(seeds) - 2, 0.02 * sqrt(1 / seeds[0] + 1 / seeds[1])
        exact = stats.nct.sf(stats.t.ppf(0.95, freedom), freedom, 0.05 / error)
        assert power(parts, seeds, 0.05) == pytest.approx(exact, abs=0.002)


def test_over_problems_alone_seeds_are_of_no_use() -> None:
    parts = Parts(training=0.0, within=0.0, problems=0.01, units=1000)
    # (1.646 + .842) standard errors
    assert detectable(parts, (2, 2)) == pytest.approx(0.0249, abs=1e-4)
    assert seeds_needed(parts, 0.024) is None
    assert seeds_needed(parts, 0.026) == 2


def test_as_many_seeds_as_are_needed_have_the_power_and_fewer_have_not() -> None:
    parts = Parts(training=0.017, within=0.010, problems=0.005, units=1319)
    seeds = seeds_needed(parts, 0.02)
    assert seeds == 16
    assert power(parts, (16, 16), 0.02) >= 0.80 > power(parts, (15, 15), 0.02)
    assert power(parts, (3, 3), detectable(parts, (3, 3))) == pytest.approx(0.80)


@pytest.mark.parametrize("seeds", [2, 3, 5])
def test_equal_recipes_are_seldom_called_regressed(seeds: int) -> None:
    world = World((seeds, seeds), spread=0.03, problems=64, changed=0.2)
    assert rates(world, trials=100).regressed <= most(100)
