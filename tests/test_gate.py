"""The rule, on bounds and pairs whose answers are known."""

import random

import pytest

from stagelift.evals.stats.planning import needed_for_margin
from stagelift.reports.gates.check import check
from stagelift.reports.gates.equal_lengths import evidence_at_equal_lengths
from stagelift.reports.gates.evidence import evidence, needed_without_change
from stagelift.reports.gates.gate import Gate, Outcome, decide, decide_all, overall
from stagelift.reports.gates.margins import Direction, Margin, Tier
from stagelift.reports.gates.pairs import bounds_of, paired
from stagelift.reports.gates.scores import StageScores
from tests.gates import scores


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
    worse = high < 0 if direction == "more" else low > 0
    if direction == "same":
        worse = high < 0 or low > 0
    assert decide(low, high, 0.02, direction, worse=worse) == expected


@pytest.mark.parametrize("direction", ["more", "less", "same"])
def test_what_holm_takes_away_is_inconclusive(direction: Direction) -> None:
    low, high = (-0.03, -0.01) if direction == "more" else (0.01, 0.03)
    assert decide(low, high, 0.02, direction, worse=True) == ("regressed", False)
    assert decide(low, high, 0.02, direction, worse=False) == ("inconclusive", False)


@pytest.mark.parametrize(
    ("broken", "fixed", "outcome"),
    [
        (0, 40, "improved"),
        (10, 10, "non-inferior"),
        (60, 20, "regressed"),
        (0, 0, "non-inferior"),
        (90, 90, "inconclusive"),
    ],
)
def test_pairs_whose_answer_is_known(broken: int, fixed: int, outcome: Outcome) -> None:
    """Of 1,000 problems, so many right in the baseline only and in the candidate only; the margin
    is two points.
    """
    baseline = [1.0] * broken + [0.0] * fixed + [1.0] * (1000 - broken - fixed)
    candidate = [0.0] * broken + [1.0] * fixed + [1.0] * (1000 - broken - fixed)
    found = only(scores(candidate), scores(baseline), Margin("accuracy", 2.0))
    assert found.outcome == outcome
    assert found.delta == pytest.approx((fixed - broken) / 1000)
    assert (found.needed is not None) == (outcome == "inconclusive")


def only(candidate: StageScores, baseline: StageScores, margin: Margin) -> Gate:
    (found,) = check(candidate, baseline, [margin]).gates
    return found


def test_a_fall_within_the_margin_passes_with_a_warning() -> None:
    candidate = [0.0] * 15 + [1.0] * 1985
    found = only(scores(candidate), scores([1.0] * 2000), Margin("accuracy", 2.0))
    assert (found.outcome, found.warns) == ("non-inferior", True)


def test_the_n_that_is_needed_would_decide() -> None:
    sd = 0.5
    needed = needed_for_margin(0.02, sd)
    assert needed is not None
    assert needed == pytest.approx(((1.645 + 0.8416) * sd / 0.02) ** 2, rel=0.01)


@pytest.mark.parametrize(("margin", "bound"), [(0.02, 1.0), (0.3, 1.0), (4.0, 96.0)])
def test_the_n_that_proves_something_without_any_change_is_the_smallest(
    margin: float, bound: float
) -> None:
    needed = needed_without_change(margin, bound)
    assert bounds_of([0.0] * needed, bound).low > -margin
    assert needed == 1 or bounds_of([0.0] * (needed - 1), bound).low <= -margin


@pytest.mark.parametrize(
    ("n", "answers", "outcome"),
    [
        (3, "same", "inconclusive"),
        (20, "same", "inconclusive"),
        (114, "same", "inconclusive"),
        (115, "same", "identical"),
        (115, None, "non-inferior"),
    ],
)
def test_equal_responses_pass_only_where_so_many_prove_it(
    n: int, answers: str | None, outcome: Outcome
) -> None:
    """Of n problems of which none changed, up to 1.645 * sqrt(2) / (n + 2) may yet be lost."""
    side = scores([1.0] * n, answers=answers)
    found = only(side, side, Margin("accuracy", 2.0))
    assert found.outcome == outcome
    assert found.needed == (115 if outcome == "inconclusive" else None)
    assert found.same_responses == (answers is not None)


def test_other_responses_with_the_same_scores_are_not_called_identical() -> None:
    one, other = scores([1.0] * 500, answers="one"), scores([1.0] * 500, answers="other")
    assert only(one, other, Margin("accuracy", 2.0)).outcome == "non-inferior"


def test_problems_on_one_side_only_are_taken_at_their_worst() -> None:
    whole, part = scores([1.0] * 1000), scores([1.0] * 990)
    assert check(part, whole, [Margin("accuracy", 2.0)], 10).outcome == "non-inferior"
    found = only_missing(part=scores([1.0] * 975), whole=whole)
    assert (found.outcome, found.missing) == ("inconclusive", 25)
    # what may have been lost is not what was lost
    assert found.p > 0.05 and found.high > 0 and found.delta == 0


def only_missing(part: StageScores, whole: StageScores) -> Gate:
    (found,) = check(part, whole, [Margin("accuracy", 2.0)], 25).gates
    return found


def test_lengths_on_one_side_only_are_left_out() -> None:
    one = scores([], values={"length_tokens": {f"p/{i}": 40.0 + i % 7 for i in range(300)}})
    other = scores([], values={"length_tokens": {f"p/{i}": 40.0 + i % 5 for i in range(299)}})
    pairs = paired("length_tokens", one, other)
    assert (pairs.missing, len(pairs.differences)) == (1, 299)
    assert pairs.least == pairs.most


def test_clusters_of_problems_widen_the_bounds() -> None:
    """100 problems in ten templates that are lost or kept as one."""
    clusters = {f"p/{i}": f"t{i // 10}" for i in range(100)}
    lost = scores([0.0] * 10 + [1.0] * 90, clusters=clusters)
    alone = only(scores([0.0] * 10 + [1.0] * 90), scores([1.0] * 100), Margin("accuracy", 2.0))
    found = only(lost, scores([1.0] * 100, clusters=clusters), Margin("accuracy", 2.0))
    assert (alone.outcome, found.outcome) == ("regressed", "inconclusive")
    assert found.low < alone.low and found.needed is None


def test_clusters_that_did_not_change_count_once_each() -> None:
    clusters = {f"p/{i}": f"t{i // 100}" for i in range(1000)}
    side = scores([1.0] * 1000, clusters=clusters)
    found = only(side, side, Margin("accuracy", 2.0))
    assert found.outcome == "inconclusive"
    assert found.low == pytest.approx(bounds_of([0.0] * 10, 1.0).low)


def test_regressed_on_any_is_adjusted_and_no_worse_on_all_is_not() -> None:
    """A fall with a one-sided p of .02 is one by itself, and none beside two others."""
    fell = scores([0.0] * 14 + [1.0] * 5 + [1.0] * 60)
    base = scores([1.0] * 14 + [0.0] * 5 + [1.0] * 60)
    found = evidence(Margin("accuracy", 2.0), fell, base)
    assert 0.05 / 3 < found.p < 0.025
    assert [gate.outcome for gate in decide_all([found])] == ["regressed"]
    fine = [
        evidence(Margin(name, 2.0), with_metric(name, fell), with_metric(name, fell))
        for name in ("accuracy_strict", "accuracy_flexible")
    ]
    first, *_ = decide_all([found, *fine])
    assert first.outcome == "inconclusive" and first.p_adjusted == pytest.approx(3 * found.p)


def with_metric(name: str, side: StageScores) -> StageScores:
    return side.model_copy(update={"values": {name: side.values["accuracy"]}})


def gate_of(outcome: Outcome, tier: Tier = "critical") -> Gate:
    return Gate("accuracy", tier, outcome, 1, 1, 0, 0, 0, 0.02, "", 9, 1, 1, False, None)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        (["improved", "inconclusive", "regressed"], "regressed"),
        (["improved", "inconclusive", "non-inferior"], "inconclusive"),
        (["improved", "non-inferior"], "non-inferior"),
        (["identical", "identical"], "identical"),
        (["identical", "improved"], "improved"),
    ],
)
def test_all_critical_gates_must_hold(outcomes: list[Outcome], expected: Outcome) -> None:
    assert overall([gate_of(outcome) for outcome in outcomes]) == expected


@pytest.mark.parametrize(
    ("tier", "outcome", "expected"),
    [
        ("supporting", "inconclusive", "improved"),
        ("supporting", "regressed", "regressed"),
        ("advisory", "inconclusive", "improved"),
        ("advisory", "regressed", "improved"),
        ("critical", "inconclusive", "inconclusive"),
    ],
)
def test_a_supporting_gate_fails_where_it_regressed_and_an_advisory_one_never(
    tier: Tier, outcome: Outcome, expected: Outcome
) -> None:
    assert overall([gate_of("improved"), gate_of(outcome, tier)]) == expected
    assert gate_of(outcome, tier).fails == (expected != "improved")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("metric", ["accuracy", "length_tokens"])
def test_swapping_flips_the_sign_and_the_order_changes_nothing(metric: str, seed: int) -> None:
    chance = random.Random(seed)
    n = chance.randint(60, 300)

    def draw(rate: float) -> list[float]:
        if metric == "accuracy":
            return [float(chance.random() < rate) for _ in range(n)]
        return [abs(chance.gauss(40 + 30 * rate, 12)) for _ in range(n)]

    def side(values: list[float]) -> StageScores:
        return scores([], values={metric: {f"p/{i}": value for i, value in enumerate(values)}})

    one, other = draw(chance.uniform(0.3, 0.7)), draw(0.5)
    margin = Margin(metric, 2.0)
    found, swapped = only(side(one), side(other), margin), only(side(other), side(one), margin)
    assert swapped.delta == pytest.approx(-found.delta, abs=1e-12)
    assert (swapped.low, swapped.high) == pytest.approx((-found.high, -found.low), abs=1e-9)
    assert swapped.p == pytest.approx(1 - found.p)
    order = list(range(n))
    chance.shuffle(order)
    shuffled = only(side([one[i] for i in order]), side([other[i] for i in order]), margin)
    assert (shuffled.outcome, shuffled.low, shuffled.high) == (
        found.outcome,
        pytest.approx(found.low),
        pytest.approx(found.high),
    )


@pytest.mark.parametrize(
    ("metric", "both", "direction"),
    [
        ("accuracy", False, "more"),
        ("truncated", False, "less"),
        ("length_tokens", False, "less"),
        ("length_tokens", True, "same"),
        ("length_chars", False, "less"),
    ],
)
def test_a_gate_knows_which_direction_is_worse(
    metric: str, both: bool, direction: Direction
) -> None:
    assert Margin(metric, 2.0, both).direction() == direction


def test_a_win_rate_at_equal_lengths_leaves_out_what_has_no_length() -> None:
    won = {f"p/{i}": float(i % 3 > 0) for i in range(90)}
    lengths = {f"p/{i}": float((i % 7) - 3) for i in range(90)}
    whole = scores([], values={"win_rate_base": won}, lengths={"win_rate_base": lengths})
    part = whole.model_copy(
        update={"lengths": {"win_rate_base": {k: lengths[k] for k in list(lengths)[:80]}}}
    )
    found = evidence_at_equal_lengths(Margin("win_rate_lc_base", 3.0), part, whole)
    assert (found.n, found.missing) == (80, 10)
    # nothing differs, which 80 problems do not prove of three points
    assert found.low == pytest.approx(bounds_of([0.0] * 80, 1.0).low)
