"""Paired differences, their families and their planning."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS

from stagelift.evals.stats import families, planning
from stagelift.evals.stats.difference import Difference, difference, of_counts
from stagelift.evals.stats.estimates import proportion


def pairs(up: int, down: int, same: int) -> list[float]:
    return [1.0] * up + [-1.0] * down + [0.0] * same


def test_right_and_wrong_answers_have_the_worked_interval_of_bonett_and_price() -> None:
    found = difference(pairs(293, 64, 962), bound=1)
    assert found.delta == pytest.approx(0.173616, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.14684, 0.19987), abs=1e-5)


def test_three_lost_of_128_show_nothing() -> None:
    two_sided = difference(pairs(0, 3, 125), bound=1)
    one_sided = difference(pairs(0, 3, 125), bound=1, confidence=0.90)
    assert (two_sided.low, two_sided.high) == pytest.approx((-0.05656, 0.01040), abs=1e-5)
    assert (one_sided.low, one_sided.high) == pytest.approx((-0.05117, 0.00502), abs=1e-5)
    assert two_sided.p > 0.05


@pytest.mark.parametrize(("n", "end"), [(128, 0.02132), (3, 0.55436)])
def test_no_pair_that_changed_is_no_proof_that_none_would(n: int, end: float) -> None:
    found = difference(pairs(0, 0, n), bound=1)
    assert (found.low, found.high) == pytest.approx((-end, end), abs=1e-5)
    assert found.p == 1


def test_a_fall_may_be_larger_than_the_few_that_were_seen_to_be_right() -> None:
    """2 of 60 were right before: of all prompts up to 11% may be, so more than 3.3 can be lost."""
    before, found = proportion(2, 60), difference(pairs(0, 2, 58), bound=1)
    assert found.low < -before.value and -found.low < before.high


def test_a_win_rates_lead_is_the_same_at_half_the_size() -> None:
    whole = difference(pairs(9, 2, 30), bound=1)
    lead = difference([value / 2 for value in pairs(9, 2, 30)], bound=0.5)
    assert (lead.low, lead.high) == pytest.approx((whole.low / 2, whole.high / 2))
    assert lead.p == pytest.approx(whole.p)


def test_interval_and_p_agree_for_every_table_up_to_60_prompts() -> None:
    for n in range(1, 61):
        up, down = np.meshgrid(range(n + 1), range(n + 1))
        up, down = up[up + down <= n], down[up + down <= n]
        for confidence, level in ((0.95, 0.05), (0.90, 0.10), (1 - 2.5e-4, 2.5e-4)):
            low, high, p = of_counts(up, down, n, confidence)
            assert ((p < level) == ((low > 0) | (high < 0))).all()
            assert (low >= -1).all() and (low <= (up - down) / n).all()
            assert ((up - down) / n <= high).all() and (high <= 1).all()
            assert (low < high).all()


@pytest.mark.parametrize(("up", "down", "n"), [(0, 0, 1), (3, 0, 7), (2, 9, 60), (60, 0, 60)])
def test_a_table_is_what_its_pairs_are(up: int, down: int, n: int) -> None:
    found = difference(pairs(up, down, n - up - down), bound=1)
    assert (found.low, found.high, found.p) == pytest.approx(of_counts(up, down, n, 0.95))


def test_clusters_are_the_unit() -> None:
    values = pairs(3, 0, 3) + pairs(1, 1, 4) + pairs(2, 0, 4) + pairs(6, 0, 0)
    clustered = difference(values, bound=1, clusters=[str(place // 6) for place in range(24)])
    assert (clustered.clusters, clustered.units, clustered.n) == (4, 4, 24)
    # t with 3 degrees of freedom on the means
    t = stats.ttest_1samp([0.5, 0, 1 / 3, 1], 0)
    assert clustered.p == pytest.approx(t.pvalue)
    low, high = t.confidence_interval()
    assert (clustered.low, clustered.high) == pytest.approx((low, min(1, high)))


def test_clusters_of_different_sizes_are_the_least_squares_fit_with_errors_by_cluster() -> None:
    rng = np.random.default_rng(1)
    groups = rng.integers(0, 7, 60)
    values = rng.normal(0.3, 1, 60)
    fit = OLS(values, np.ones(60)).fit(cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    found = difference(values.tolist(), bound=np.inf, clusters=[str(group) for group in groups])
    assert [found.low, found.high] == pytest.approx(fit.conf_int()[0])
    assert found.p == pytest.approx(fit.pvalues[0])


@pytest.mark.parametrize("value", [0.0, 1.0, -0.25])
@pytest.mark.parametrize("clusters", [None, ["a"] * 12, list("aaabbbcccddd")])
def test_no_interval_is_without_width(value: float, clusters: list[str] | None) -> None:
    for bound in (1.0, np.inf):
        found = difference([value] * 12, bound=bound, clusters=clusters)
        assert -bound <= found.low <= found.delta <= found.high <= bound
        assert found.high - found.low > 0.1
        assert 0 < found.p <= 1


def test_the_last_digits_of_a_sum_are_no_change() -> None:
    nothing = 0.1 + 0.2 - 0.3
    whole = 0.7 + 0.2 + 0.1
    assert nothing != 0 and whole != 1
    found = difference([nothing] * 40 + [whole] * 3, bound=1)
    assert found == difference([0.0] * 40 + [1.0] * 3, bound=1)


VALUES = {
    "most are zero": ([0.0] * 40 + [0.25, 0.5, -0.25, 0.75, 0.5], 1.0),
    "towards the bounds": ([0.5] * 9 + [0.25, -0.25, -0.5], 0.5),
    "skewed towards a bound": ([0.5] * 20 + [0.25, 0.0, -0.5], 0.5),
    "lengths": ([float(step**3) for step in range(-6, 12)], np.inf),
    "lengths without a tail": ([float(step) for step in range(-6, 12)], 400.0),
    "right and wrong": (pairs(9, 2, 60), 1.0),
}


@pytest.mark.parametrize("name", VALUES)
def test_the_interval_of_level_p_ends_at_zero(name: str) -> None:
    values, bound = VALUES[name]
    for sign in (1, -1):
        turned = [sign * value for value in values]
        found = difference(turned, bound=bound)
        at_p = difference(turned, bound=bound, confidence=1 - found.p)
        assert min(abs(at_p.low), abs(at_p.high)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("name", VALUES)
def test_the_sides_swapped_turn_the_interval_round(name: str) -> None:
    values, bound = VALUES[name]
    found = difference(values, bound=bound)
    turned = difference([-value for value in values], bound=bound)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))
    assert turned.p == pytest.approx(found.p)


def test_values_of_several_sizes_with_most_of_them_zero_are_right_and_wrong_in_the_limit() -> None:
    several = difference([*pairs(9, 2, 60), 1e-9], bound=1)
    apart = difference(pairs(9, 2, 61), bound=1)
    # but for the degrees of freedom
    assert several.low == pytest.approx(apart.low, abs=0.003)


def test_the_level_of_a_test_is_where_holm_decides() -> None:
    p_values = [0.001, 0.02, 0.012, 0.2, 0.03]
    decided = [p < level for p, level in zip(p_values, families.levels(p_values), strict=True)]
    assert decided == [p < 0.05 for p in families.holm(p_values)]
    assert families.levels([0.3] * 4) == [0.0125] * 4


def test_the_detectable_share_has_its_power_exactly() -> None:
    found = difference(pairs(20, 20, 160), bound=1)
    share = planning.detectable(found, 0.05 / 20)
    assert share is not None
    assert planning.power_of_shares(share, 0.2, 200, 0.05 / 20) == pytest.approx(0.8, abs=1e-5)


def test_three_prompts_detect_nothing() -> None:
    assert planning.detectable(difference(pairs(0, 0, 3), bound=1)) is None


def test_more_prompts_are_needed_at_a_smaller_level() -> None:
    seen = Difference(delta=0.05, low=0, high=0, n=100, p=0.2, sd=0.4, units=100)
    at_once, in_a_family = planning.needed(seen), planning.needed(seen, 0.05 / 20)
    assert at_once is not None and in_a_family is not None
    assert at_once == pytest.approx((1.959964 + 0.841621) ** 2 * 64, abs=3)
    assert in_a_family > 1.5 * at_once


@pytest.mark.parametrize("effect", [1e-5, 0.01, 0.5, 1, 4, 9])
def test_prompts_needed_for_the_smallest_and_the_largest_effects(effect: float) -> None:
    seen = Difference(delta=effect, low=0, high=0, n=100, p=0.2, sd=1, units=100)
    prompts = planning.needed(seen)
    assert prompts is not None and prompts >= 3
    assert prompts == pytest.approx((2.8016 / effect) ** 2, rel=0.01, abs=3)


@pytest.mark.parametrize(("up", "down", "n"), [(10, 2, 100), (3, 0, 128), (30, 0, 30), (1, 0, 900)])
def test_right_and_wrong_answers_need_the_prompts_of_the_exact_test(
    up: int, down: int, n: int
) -> None:
    found = difference(pairs(up, down, n - up - down), bound=1)
    prompts = planning.needed(found, 0.05 / 20)
    assert prompts is not None
    shares = abs(found.delta), found.moved or 0.0
    assert planning.power_of_shares(*shares, prompts, 0.05 / 20) >= 0.8
    assert planning.power_of_shares(*shares, prompts - 1, 0.05 / 20) < 0.8


def test_what_is_needed_is_what_would_be_detectable() -> None:
    found = difference(pairs(60, 40, 300), bound=1)
    prompts = planning.needed(found)
    assert prompts is not None and found.moved == 0.25
    as_many = difference(pairs(prompts // 8, prompts // 8, prompts - 2 * (prompts // 8)), bound=1)
    assert planning.detectable(as_many) == pytest.approx(found.delta, rel=0.02)


def test_skewed_values_need_more_prompts() -> None:
    rng = np.random.default_rng(0)
    skewed = difference((rng.lognormal(0, 1.2, 200) - 1.5).tolist(), bound=np.inf)
    even = replace(skewed, skewness=0.0)
    # to the side of the tail more is asked for, to the other it is t
    turned, turned_even = (replace(one, delta=-one.delta) for one in (skewed, even))
    needed, against = planning.needed(skewed) or 0, planning.needed(turned) or 0
    assert against > 1.2 * (planning.needed(turned_even) or 0)
    assert needed == pytest.approx(planning.needed(even) or 0, rel=0.02)
    assert (planning.detectable(skewed) or 0) > 1.1 * (planning.detectable(even) or 0)


@pytest.mark.parametrize("values", [[1.0, -1.0] * 20, [0.0] * 40, [0.25, -0.25] * 9])
def test_no_number_of_prompts_shows_a_difference_of_zero(values: list[float]) -> None:
    assert planning.needed(difference(values, bound=1)) is None


def test_clusters_of_one_prompt_each_are_prompts() -> None:
    values = pairs(9, 2, 60)
    names = [str(prompt) for prompt in range(71)]
    apart = difference(values, bound=1)
    assert difference(values, bound=1, clusters=names) == replace(apart, clusters=71)
