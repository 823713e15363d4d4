"""The rule, on bounds and pairs whose answers are known."""

import random

import pytest

from stagelift.evals.stats.power import Difference, one_sided_bounds, prompts_for_margin, spread
from stagelift.reports.gates.gate import Direction, Outcome, decide, gate, worst


@pytest.mark.parametrize(
    ("low", "high", "direction", "expected"),
    [
        (0.01, 0.05, "more", ("improved", False)),
        (-0.01, 0.05, "more", ("non-inferior", False)),
        (-0.019, -0.001, "more", ("non-inferior", True)),
        (-0.03, -0.01, "more", ("regressed", False)),
        (-0.021, -0.0001, "more", ("regressed", False)),
        (-0.03, 0.01, "more", ("inconclusive", False)),
        # the margin itself is not excluded
        (-0.02, 0.01, "more", ("inconclusive", False)),
        (-0.05, -0.01, "less", ("improved", False)),
        (-0.05, 0.01, "less", ("non-inferior", False)),
        (0.001, 0.019, "less", ("non-inferior", True)),
        (0.01, 0.03, "less", ("regressed", False)),
        (-0.01, 0.03, "less", ("inconclusive", False)),
        (-0.01, 0.01, "same", ("non-inferior", False)),
        (0.001, 0.01, "same", ("non-inferior", True)),
        (0.01, 0.03, "same", ("regressed", False)),
        (-0.03, -0.01, "same", ("regressed", False)),
        (-0.03, 0.03, "same", ("inconclusive", False)),
    ],
)
def test_every_branch_of_the_rule(
    low: float, high: float, direction: Direction, expected: tuple[Outcome, bool]
) -> None:
    assert decide(low, high, 0.02, direction, identical=False) == expected


@pytest.mark.parametrize(
    ("broken", "fixed", "outcome"),
    [
        (0, 40, "improved"),
        (10, 10, "non-inferior"),
        (60, 20, "regressed"),
        (0, 0, "identical"),
        (90, 90, "inconclusive"),
    ],
)
def test_pairs_whose_answer_is_known(broken: int, fixed: int, outcome: Outcome) -> None:
    """Of 1,000 problems, so many right in the baseline only and in the candidate only; the margin
    is two points.
    """
    baseline = [1.0] * broken + [0.0] * fixed + [1.0] * (1000 - broken - fixed)
    candidate = [0.0] * broken + [1.0] * fixed + [1.0] * (1000 - broken - fixed)
    found = gate("accuracy", candidate, baseline, 0.02, "more", 1.0)
    assert found.outcome == outcome
    assert found.delta == pytest.approx((fixed - broken) / 1000)
    assert (found.needed is not None) == (outcome == "inconclusive")


def test_a_fall_within_the_margin_passes_with_a_warning() -> None:
    baseline = [1.0] * 2000
    candidate = [0.0] * 15 + [1.0] * 1985
    found = gate("accuracy", candidate, baseline, 0.02, "more", 1.0)
    assert (found.outcome, found.warns) == ("non-inferior", True)


def test_the_n_that_is_needed_would_decide() -> None:
    sd = 0.5
    needed = prompts_for_margin(0.02, sd)
    assert needed is not None
    assert needed == pytest.approx(((1.645 + 0.8416) * sd / 0.02) ** 2, rel=0.01)


def test_an_estimates_bounds_come_from_its_own_error() -> None:
    found = Difference(
        delta=0.1,
        low=0.1 - 1.9623 * 0.02,
        high=0.1 + 1.9623 * 0.02,
        n=1000,
        p=0.01,
        mde=2.8016 * 0.02,
        needed=9,
    )
    assert spread(found) == pytest.approx(0.02 * 1000**0.5, rel=1e-3)
    assert one_sided_bounds(found) == pytest.approx(
        (0.1 - 1.6464 * 0.02, 0.1 + 1.6464 * 0.02), rel=1e-3
    )


def test_all_gates_must_hold() -> None:
    assert worst(["improved", "inconclusive", "regressed"]) == "regressed"
    assert worst(["improved", "inconclusive", "non-inferior"]) == "inconclusive"
    assert worst(["improved", "non-inferior"]) == "non-inferior"
    assert worst(["identical", "identical"]) == "identical"
    assert worst(["identical", "improved"]) == "improved"


MIRRORED = {
    "improved": ("regressed", "non-inferior"),
    "regressed": ("improved",),
    "identical": ("identical",),
}


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("binary", [True, False])
def test_swapping_flips_the_sign_and_order_and_a_constant_change_nothing(
    seed: int, binary: bool
) -> None:
    chance = random.Random(seed)
    n = chance.randint(60, 300)

    def draw(rate: float) -> list[float]:
        return [
            float(chance.random() < rate) if binary else chance.gauss(40 + 30 * rate, 12)
            for _ in range(n)
        ]

    one, other = draw(chance.uniform(0.3, 0.7)), draw(0.5)
    margin, bound = (0.02, 1.0) if binary else (3.0, None)
    found, swapped = (
        gate("m", one, other, margin, "more", bound),
        gate("m", other, one, margin, "more", bound),
    )
    assert swapped.delta == pytest.approx(-found.delta, abs=1e-12)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    if found.outcome in MIRRORED:
        assert swapped.outcome in MIRRORED[found.outcome]

    order = list(range(n))
    chance.shuffle(order)
    shuffled = gate("m", [one[i] for i in order], [other[i] for i in order], margin, "more", bound)
    assert (shuffled.outcome, shuffled.low, shuffled.high) == (
        found.outcome,
        pytest.approx(found.low),
        pytest.approx(found.high),
    )
    shifted = gate(
        "m", [value + 7 for value in one], [value + 7 for value in other], margin, "more", bound
    )
    assert (shifted.outcome, shifted.delta) == (found.outcome, pytest.approx(found.delta))
    assert (shifted.low, shifted.high) == pytest.approx((found.low, found.high), abs=1e-9)
