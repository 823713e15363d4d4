"""Paired differences, their families and their planning."""

import pytest
from scipy import stats

from stagelift.evals.stats import families, planning
from stagelift.evals.stats.difference import Difference, difference


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


def test_a_win_rates_lead_is_the_same_at_half_the_size() -> None:
    whole = difference(pairs(9, 2, 30), bound=1)
    lead = difference([value / 2 for value in pairs(9, 2, 30)], bound=0.5)
    assert (lead.low, lead.high) == pytest.approx((whole.low / 2, whole.high / 2))
    assert lead.p == pytest.approx(whole.p)


def test_interval_and_p_agree_for_every_table_up_to_60_prompts() -> None:
    for n in range(1, 61, 7):
        for up in range(n + 1):
            for down in range(n + 1 - up):
                found = difference(pairs(up, down, n - up - down), bound=1)
                assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
                assert -1 <= found.low <= found.high <= 1


def test_clusters_are_the_unit() -> None:
    values = pairs(6, 0, 18)
    apart = difference(values, bound=1)
    clustered = difference(values, bound=1, clusters=[str(place // 6) for place in range(24)])
    assert clustered.clusters == clustered.units == 4
    assert clustered.n == 24
    assert clustered.low < 0 < apart.low
    # t with 3 degrees of freedom on the means 1, 0, 0, 0
    half = stats.t.ppf(0.975, 3) * 0.25
    assert clustered.low == pytest.approx(0.25 - half)


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
