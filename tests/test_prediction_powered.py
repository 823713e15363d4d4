"""A judge's mean corrected by labels, against the formulas of its papers and simulated truths."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from benchmarks.votes import measured, simulated
from stagelift.evals.stats.prediction_powered import Corrected, corrected

# 40 prompts, of which the first 24 are labelled
SCORES = ([1.0] * 14 + [0.0] * 6 + [0.5] * 4) + [1.0] * 9 + [0.0] * 7
LABELS = [1.0] * 11 + [0.0] * 3 + [0.0] * 5 + [1.0] + [0.5] * 2 + [1.0, 0.0]


def from_literals(labels: list[float] = LABELS, scores: list[float] = SCORES) -> Corrected:
    return corrected(scores, [*labels, *[None] * (len(scores) - len(labels))])


def test_the_value_is_that_of_ppi_with_its_tuned_weight() -> None:
    """PPI++ has labelled and unlabelled prompts apart: theta = mean(y) + w (mean of f unlabelled -
    mean of f labelled), with w = slope / (1 + n / N).
    """
    found, n = from_literals(), len(LABELS)
    unlabelled = SCORES[n:]
    weight = found.slope / (1 + n / len(unlabelled))
    ppi = np.mean(LABELS) + weight * (np.mean(unlabelled) - np.mean(SCORES[:n]))
    assert 0.5 + found.lead.delta == pytest.approx(ppi)


def test_the_slope_is_that_of_least_squares() -> None:
    slope = stats.linregress(SCORES[:24], LABELS).slope
    assert from_literals().slope == pytest.approx(slope)


def test_skewed_labels_have_a_contradiction_added_each_way() -> None:
    labels = [0.0] * 22 + [1.0, 0.0]
    slope = stats.linregress([*SCORES[:24], 1.0, 0.0], [*labels, 0.0, 1.0]).slope
    assert from_literals(labels).slope == pytest.approx(max(0.0, slope))


def test_a_fit_through_a_single_label_still_has_an_interval_with_a_width() -> None:
    found = from_literals([1.0, 0.0] * 12, [1.0] * 23 + [0.0] * 17)
    assert 0.2 < found.lead.high - found.lead.low < 1


def test_the_variance_of_many_labels_is_that_of_double_sampling() -> None:
    """Cochran (1977), section 12.7: s2 (1 - r2) / n + s2 r2 / N."""
    rng = np.random.default_rng(3)
    scores = rng.random(20_000)
    said = np.clip(scores + rng.normal(0, 0.2, scores.size), 0, 1)
    found = corrected(scores.tolist(), [*said[:4000].tolist(), *[None] * 16_000])
    spread, share = said.var(), np.corrcoef(scores, said)[0, 1] ** 2
    assert found.of_labels == pytest.approx(spread * (1 - share) / 4000, rel=0.05)
    assert found.of_judged == pytest.approx(spread * share / 20_000, rel=0.05)


def test_where_all_are_labelled_the_judge_has_no_say_in_the_value() -> None:
    found = from_literals(LABELS, SCORES[:24])
    assert 0.5 + found.lead.delta == pytest.approx(np.mean(LABELS))


@pytest.mark.parametrize("scores", [[1.0] * 40, [0.5] * 40, [0.0] * 40])
def test_a_judge_that_always_says_the_same_leaves_the_labels_alone(scores: list[float]) -> None:
    found = from_literals(scores=scores)
    assert 0.5 + found.lead.delta == pytest.approx(np.mean(LABELS))


def test_labels_that_agree_with_the_judge_throughout_are_no_proof_that_it_never_errs() -> None:
    scores = [1.0, 0.0] * 200
    found = from_literals(scores[:30], scores)
    assert found.slope < 1 and found.of_labels > 0
    assert found.half_width > stats.norm.ppf(0.975) * sqrt(np.var(scores) / 400)


def test_labels_that_are_all_alike_have_an_interval_with_a_width() -> None:
    found = from_literals([1.0] * 24)
    assert found.lead.low < found.lead.delta <= found.lead.high == 0.5
    assert found.lead.low < 0.42


def test_interval_and_p_tell_one_story() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        scores, said = rng.integers(0, 3, (2, 60)) / 2
        lead = corrected(scores.tolist(), [*said[:25].tolist(), *[None] * 35]).lead
        assert (lead.p < 0.05) == (lead.low > 0 or lead.high < 0)
        assert lead.low <= lead.delta <= lead.high


def test_as_many_more_labels_as_are_said_halve_the_interval_and_one_fewer_does_not() -> None:
    found = from_literals(scores=SCORES + [1.0, 0.0, 0.5] * 400)
    more = found.more_to_halve()
    assert more is not None
    assert found.half_width_with(24 + more) <= found.half_width / 2
    assert found.half_width_with(24 + more - 1) > found.half_width / 2


def test_where_too_few_prompts_were_judged_no_number_of_labels_halves_the_interval() -> None:
    found = from_literals()
    assert found.more_to_halve() is None
    assert found.half_width_with(found.judged) > found.half_width / 2


def test_prompts_of_one_cluster_count_as_one() -> None:
    """Each prompt four times over says no more than once."""
    rng = np.random.default_rng(7)
    scores = rng.integers(0, 3, 90) / 2
    said = np.where(rng.random(90) < 0.7, scores, rng.integers(0, 3, 90) / 2)
    labels: list[float | None] = [*said[:30].tolist(), *[None] * 60]
    once = corrected(scores.tolist(), labels)
    names = [f"t/{number}" for number in range(90)]
    repeated = corrected(np.repeat(scores, 4).tolist(), [x for x in labels for _ in range(4)])
    clustered = corrected(
        np.repeat(scores, 4).tolist(),
        [label for label in labels for _ in range(4)],
        [name for name in names for _ in range(4)],
    )
    # those with a label
    assert clustered.lead.clusters == 30 and clustered.more_to_halve() is None
    assert repeated.half_width < 0.7 * once.half_width
    width = (clustered.lead.high - clustered.lead.low) / 2
    assert width == pytest.approx(once.half_width, rel=0.15)


def test_t_and_the_votes_variance_count_the_clusters_with_votes() -> None:
    """20 clusters of two prompts, of which 12 have votes; a judge without a say leaves the mean."""
    names = [f"t/{number // 2}" for number in range(40)]
    found = corrected([1.0] * 40, [*LABELS, *[None] * 16], names)
    sums = np.add.reduceat(np.array(LABELS) - np.mean(LABELS), range(0, 24, 2))
    # one mean fitted to 24 labels: each leverage is 1 / 24
    error = sqrt(12 / 11 * np.sum((sums / 24 / (1 - 1 / 24)) ** 2))
    assert found.lead.clusters == found.lead.units == 12
    assert sqrt(found.of_labels) == pytest.approx(error)
    half = stats.t.ppf(0.975, 10) * error
    assert (found.lead.high - found.lead.low) / 2 == pytest.approx(half)


def test_one_label_is_too_few() -> None:
    with pytest.raises(ValueError, match="needs two labels or more, there are 1"):
        from_literals([1.0])


def test_a_good_judge_makes_the_interval_shorter_and_the_coverage_stays() -> None:
    good, *_, none = list(simulated())[:4]
    found = measured(good, judged=800, votes=50, trials=150)
    assert found.coverage > 0.9 and found.shorter > 0.3
    assert measured(none, judged=800, votes=50, trials=50).shorter < 0.3
