import math

import numpy as np
import pytest
import scipy.stats
import statsmodels.api as sm

from stagelift.evals.metrics.winrate import over_half
from stagelift.evals.records import Metric
from stagelift.evals.stats import estimates, lengths


def test_wilson_interval_of_none_in_twenty() -> None:
    metric = estimates.proportion(0, 20)
    assert (metric.value, metric.low, metric.n) == (0, 0, 20)
    assert metric.high == pytest.approx(0.16113, abs=5e-6)


def test_worked_win_rate_interval() -> None:
    scores = [1, 1, 0.5, 0, 0.5, 0.75, 0, 1, 0.5, 0.5, 0.75, 1]
    metric = over_half(scores)
    assert (metric.value, metric.n) == (0.625, 12)
    assert (metric.low, metric.high) == (
        pytest.approx(0.39531, abs=5e-6),
        pytest.approx(0.85469, abs=5e-6),
    )


def test_the_worked_standard_error_is_over_prompts_and_not_over_rows() -> None:
    orders = [
        (1, 1),
        (1, 1),
        (1, 0),
        (0, 0),
        (0.5, 0.5),
        (1, 0.5),
        (0, 0),
        (1, 1),
        (1, 0),
        (0, 1),
        (0.5, 1),
        (1, 1),
    ]
    rows = [(str(prompt), float(score)) for prompt, pair in enumerate(orders) for score in pair]
    assert standard_error(over_half(list(estimates.prompt_means(rows).values()))) == pytest.approx(
        0.104356, abs=5e-7
    )
    assert scipy.stats.sem([score for _, score in rows]) == pytest.approx(0.091535, abs=5e-7)


def test_quantile_interval_holds_the_quantile_and_stays_in_the_sample() -> None:
    metric = estimates.quantile(list(range(100)), 0.9)
    assert 0 <= metric.low <= metric.value <= metric.high <= 99


def test_a_quantile_of_a_small_sample_may_lie_beyond_it() -> None:
    metric = estimates.quantile(list(range(20)), 0.9)
    # 90% of 20 values below the largest: .88 would hold the quantile
    assert metric.low == 14 and metric.high > 19
    assert estimates.quantile([7, 7, 7], 0.5).high > 7


@pytest.mark.parametrize("values", [[3.0], [3.0] * 3, [0.0] * 40, [-2.0] * 2, [1e6] * 5])
def test_equal_values_may_yet_vary(values: list[float]) -> None:
    for metric in (estimates.mean(values), estimates.mean(values, ["a"] * len(values))):
        assert metric.low < metric.value < metric.high


def test_the_mean_of_skewed_values_reaches_further_into_the_tail() -> None:
    values = [1.0, 1.2, 0.9, 1.1, 1.0, 9.0, 1.3, 0.8, 1.1, 1.0]
    metric, t = estimates.mean(values), scipy.stats.ttest_1samp(values, 0).confidence_interval()
    assert metric.low == pytest.approx(t.low)
    assert metric.high > t.high + 1


def test_the_mean_over_clusters_is_that_of_the_least_squares_fit() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 7, 60)
    values = rng.normal(0, 1, 60) + groups
    fit = sm.OLS(values, np.ones(60)).fit(
        cov_type="cluster", cov_kwds={"groups": groups}, use_t=True
    )
    metric = estimates.mean(values.tolist(), [str(group) for group in groups])
    assert [metric.low, metric.high] == pytest.approx(fit.conf_int()[0])


def test_a_rate_over_clusters_has_the_room_of_its_clusters() -> None:
    right = [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    alike = estimates.rate(right, [str(place // 2) for place in range(12)])
    # six clusters that are each all right or all wrong: Wilson's interval for 2 of 6,
    # at 6 * (1.96 / t(.975, 5))^2 = 3.49 / 1.19 clusters
    assert alike.low < estimates.proportion(2, 6).low
    assert alike.high > estimates.proportion(2, 6).high
    apart = estimates.rate(right)
    assert (apart.low, apart.high) == pytest.approx((0.13812, 0.60938), abs=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.25])
@pytest.mark.parametrize("clusters", [["a"] * 8, list("aabbccdd"), None])
def test_a_rate_that_did_not_vary_may_yet_vary(value: float, clusters: list[str] | None) -> None:
    found = estimates.rate([value] * 8, clusters)
    assert 0 <= found.low <= value <= found.high <= 1
    assert found.high - found.low > 0.2


def test_a_single_right_sample_leaves_as_much_open_as_none() -> None:
    found = estimates.rate([0.0] * 50 + [0.25])
    assert 0 < found.low < found.value
    # t over problems ends at .0148
    assert found.high == pytest.approx(0.0562, abs=1e-4)


def test_a_floor_of_seeds_is_for_the_means_that_are_compared() -> None:
    # t(.975, 2) = 4.302653, sd .1
    assert estimates.seed_floor([0.4, 0.5, 0.6]) == pytest.approx(4.302653 * 0.1 * math.sqrt(2))
    assert estimates.seed_floor([0.4, 0.5, 0.6], runs=3) == pytest.approx(
        4.302653 * 0.1 * math.sqrt(2 / 3)
    )
    assert estimates.seed_floor([0.4, 0.6]) is None


def test_samples_are_averaged_within_their_prompt_first() -> None:
    means = estimates.prompt_means([("b", 1.0), ("a", 0.0), ("b", 0.0), ("a", 0.0)])
    assert list(means.items()) == [("b", 0.5), ("a", 0.0)]


def test_the_interval_over_prompt_means_is_the_clustered_one() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (str(prompt), value) for prompt in range(30) for value in rng.normal(prompt % 5, 1, size=4)
    ]
    metric = estimates.mean([value for _, value in rows], [prompt for prompt, _ in rows])
    clusters = {"groups": np.repeat(np.arange(30), 4)}
    fit = sm.OLS([value for _, value in rows], np.ones(120)).fit(
        cov_type="cluster", cov_kwds=clusters, use_t=True
    )
    assert metric.n == 120
    assert [metric.low, metric.high] == pytest.approx(fit.conf_int()[0])


def test_pass_at_k_is_the_share_of_subsets_with_a_correct_sample() -> None:
    assert estimates.pass_at_k(5, 2, 1) == pytest.approx(0.4)
    # 7 of 10 pairs
    assert estimates.pass_at_k(5, 2, 2) == pytest.approx(0.7)
    assert (
        estimates.pass_at_k(5, 0, 5),
        estimates.pass_at_k(5, 1, 5),
        estimates.pass_at_k(5, 4, 2),
    ) == (0, 1, 1)


def test_pass_at_k_of_many_samples_neither_overflows_nor_rounds_to_nothing() -> None:
    assert estimates.pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5)
    assert estimates.pass_at_k(10**6, 1, 1) == pytest.approx(1e-6, rel=1e-12)


@pytest.mark.parametrize(("n", "c", "k"), [(4, 1, 5), (4, 5, 1), (4, 1, 0)])
def test_pass_at_k_refuses_what_was_not_sampled(n: int, c: int, k: int) -> None:
    with pytest.raises(ValueError, match=f"pass@k with k={k} needs"):
        estimates.pass_at_k(n, c, k)


def test_ratio_is_the_geometric_mean_of_the_pairs() -> None:
    metric = lengths.ratio([2.0, 8.0, 4.0], [1.0, 1.0, 1.0])
    assert metric is not None
    assert (metric.value, metric.n) == (pytest.approx(4), 3)
    # symmetric on logs
    assert metric.low * metric.high == pytest.approx(16)


def test_ratio_of_the_other_way_round_is_the_inverse() -> None:
    one, other = (
        lengths.ratio([10, 30, 25], [12, 20, 20]),
        lengths.ratio([12, 20, 20], [10, 30, 25]),
    )
    assert one is not None and other is not None
    assert (one.value, one.low) == (pytest.approx(1 / other.value), pytest.approx(1 / other.high))


def test_ratio_of_lengths_that_all_doubled_may_yet_be_another() -> None:
    metric = lengths.ratio([6, 20, 14], [3, 10, 7])
    assert metric is not None
    assert 0 < metric.low < 2 < metric.high


def test_no_ratio_to_an_empty_response() -> None:
    assert lengths.ratio([3.0, 4.0], [0.0, 4.0]) is None
    assert lengths.ratio([3.0, 0.0], [2.0, 4.0]) is None


def test_median_difference_and_its_interval() -> None:
    metric = lengths.median_difference([-3.2, -1.1, 0.4, 1.3, 2.8, 3.1, 4.9, 7.7, 9.0])
    assert (metric.value, metric.n) == (2.8, 9)
    # the second and the eighth of nine: 1 - 20 / 512
    assert (metric.low, metric.high) == (-1.1, 7.7)


def test_the_median_of_whole_tokens_has_no_width_where_most_are_equal() -> None:
    assert lengths.median_difference([0.0] * 30 + [5.0] * 2) == Metric(value=0, low=0, high=0, n=32)
    # 6 values all lie on one side of the median in one of 32 samples
    assert lengths.median_difference([4.0] * 6) == Metric(value=4, low=4, high=4, n=6)


@pytest.mark.parametrize("values", [[1.0, 2.0], [3.0, 3.0, 4.0], [0.0], [4.0] * 5])
def test_a_handful_of_values_does_not_hold_the_median(values: list[float]) -> None:
    metric = lengths.median_difference(values)
    assert metric.low <= metric.value <= metric.high
    assert metric.high - metric.low > max(values) - min(values)


def test_one_seed_says_nothing_of_the_spread_over_seeds() -> None:
    with pytest.raises(ValueError, match="two seeds or more, there is 1"):
        estimates.over_seeds([0.4])
    metric = estimates.over_seeds([0.40, 0.44, 0.45])
    t = scipy.stats.ttest_1samp([0.40, 0.44, 0.45], 0).confidence_interval()
    assert (metric.low, metric.high) == pytest.approx((t.low, t.high))


def test_clipping_leaves_the_value_alone() -> None:
    assert estimates.within((0, 1), Metric(value=0.9, low=-0.1, high=1.1, n=3)) == Metric(
        value=0.9, low=0, high=1, n=3
    )


def test_kappa_of_a_worked_table() -> None:
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    value, low, high = estimates.kappa(first, second)
    # agreement .70, by chance .50
    assert value == pytest.approx(0.4)
    assert low < 0.4 < high


def test_kappa_does_not_mind_the_order_of_raters_or_the_names_of_labels() -> None:
    one, other = [1, 2, 1, 3, 2, 2, 3, 1], [1, 2, 2, 3, 2, 1, 3, 1]
    assert estimates.kappa(one, other) == pytest.approx(estimates.kappa(other, one))
    assert estimates.kappa(one, other) == pytest.approx(
        estimates.kappa([f"{x}" for x in one], [f"{x}" for x in other])
    )


def test_kappa_where_a_rater_gave_one_label_only_says_nothing() -> None:
    assert estimates.kappa(["A", "A", "A"], ["A", "A", "A"]) == (0, -1, 1)
    assert estimates.kappa(["A", "A", "A"], ["A", "B", "A"]) == (0, -1, 1)


def test_kappa_of_perfect_agreement_is_one() -> None:
    value, low, high = estimates.kappa(["A", "B"] * 20, ["A", "B"] * 20)
    assert (value, high) == (1, 1)
    # Wilson's lower end for 40 of 40, chance being one half
    assert low == pytest.approx(2 * 0.91238 - 1, abs=1e-4)


def test_raters_who_never_agree_may_yet_agree() -> None:
    value, low, high = estimates.kappa(["A", "B"] * 20, ["B", "A"] * 20)
    # Wilson's upper end for 0 of 40, chance being one half
    assert (value, low) == (-1, -1)
    assert high == pytest.approx(2 * 0.08762 - 1, abs=1e-4)


def standard_error(metric: Metric) -> float:
    """Take the standard error back out of a t interval."""
    return float((metric.high - metric.value) / scipy.stats.t.ppf(0.975, metric.n - 1))
