"""What a gate would catch: the power of its rule, and how it is told."""

import json

import numpy as np
import pytest
from scipy.stats import norm

from stagelift.evals.stats.planning import needed_for_margin
from stagelift.reports.gates.margins import Margin
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.gates.self_test import assumed_differences, fallen, self_test
from stagelift.reports.gates.self_test_answer import render_json, render_terminal
from tests.gates import scores


def sides(n: int, changed: int) -> tuple[StageScores, StageScores]:
    """Two sides of equal accuracy of which so many problems differ."""
    half = changed // 2
    rest = [1.0] * (n - 2 * half)
    return (
        scores([0.0] * half + [1.0] * half + rest),
        scores([1.0] * half + [0.0] * half + rest),
    )


@pytest.mark.parametrize(("n", "changed"), [(200, 24), (1319, 130), (1319, 400)])
def test_the_power_is_that_of_the_discordance_seen(n: int, changed: int) -> None:
    """A fall by two points, whose z is margin / sqrt((share - margin^2) / n)."""
    candidate, baseline = sides(n, changed)
    (power,) = self_test([Margin("accuracy", 2.0)], baseline, candidate)
    share = changed / n
    expected = norm.cdf(0.02 / ((share - 0.0004) / n) ** 0.5 - norm.isf(0.05))
    assert power.caught == pytest.approx(expected, abs=0.08)
    assert (power.changed, power.is_seen) == (pytest.approx(share), True)
    assert power.let_through <= 0.09
    assert power.needed == pytest.approx(needed_for_margin(0.02, (share - 0.0004) ** 0.5), rel=0.05)


def test_few_problems_are_said_to_be_too_few() -> None:
    candidate, baseline = sides(64, 12)
    powers = self_test([Margin("accuracy", 2.0)], baseline, candidate)
    assert not powers[0].is_enough and powers[0].caught < 0.3
    text = render_terminal(powers)
    assert "a fall by 2.0 would be caught in" in text and "problems would catch it in 80%" in text
    assert "assumed" not in text
    assert json.loads(render_json(powers))["self_test"][0]["is_enough"] is False


def test_alone_it_says_what_it_assumes() -> None:
    powers = self_test([Margin("accuracy", 2.0)], scores([1.0, 0.0] * 200), None)
    # half of them get a value like another's, of which half differ
    assert powers[0].changed == pytest.approx(0.25, abs=0.06) and not powers[0].is_seen
    assert "it is assumed that half of them" in render_terminal(powers)


def test_what_decides_shares_the_level_and_an_advisory_metric_is_left_out() -> None:
    candidate, baseline = sides(1319, 130)
    margin = Margin("accuracy", 2.0)
    advisory = Margin("length_tokens", 10.0, tier="advisory")
    (alone,) = self_test([margin, advisory], baseline, candidate)
    supporting = Margin("win_rate_lc_base", 3.0, tier="supporting")
    (shared,) = self_test([margin, supporting], baseline, candidate)
    assert shared.caught < alone.caught and (shared.needed or 0) > (alone.needed or 0)


def test_growth_of_a_length_is_what_is_drawn() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(100, 20, 400)
    one, other = (
        scores([], values={"length_tokens": dict(zip(map(str, range(400)), made, strict=True))})
        for made in ((base + rng.normal(0, 10, 400)).tolist(), base.tolist())
    )
    (power,) = self_test([Margin("length_tokens", 10.0)], other, one)
    assert power.margin == pytest.approx(10, abs=0.5) and power.caught > 0.9


@pytest.mark.parametrize("fall", [0.02, 0.3])
def test_a_drawn_fall_is_true_on_average(fall: float) -> None:
    rng = np.random.default_rng(1)
    differences = np.array([1.0] * 5 + [-1.0] * 5 + [0.0] * 90)
    drawn = np.concatenate([fallen(differences, fall, 1.0, rng) for _ in range(2000)])
    assert drawn.mean() == pytest.approx(-fall, abs=0.005)
    assert {*drawn} <= {-1.0, 0.0, 1.0}
    assert np.mean(drawn != 0) == pytest.approx(max(0.1, fall), abs=0.005)


def test_assumed_differences_go_together_by_one_half() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(0, 1, 50_000)
    assert assumed_differences(values, rng).std() == pytest.approx(1.0, abs=0.02)
