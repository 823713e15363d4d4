import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from stagelift.evals.data.preferences import Preference, load_preferences
from stagelift.evals.data.source import Source
from stagelift.evals.judges.controls import control
from stagelift.evals.judges.gold import gold_agreement
from stagelift.evals.judges.judge import Judge, Opinion, Pair
from stagelift.evals.judges.judging import judge_pairs
from stagelift.evals.judges.passport import passport, position_consistency
from stagelift.evals.judges.reference import ID, reference_judge
from stagelift.evals.judges.verdicts import verdicts_judge
from stagelift.evals.records import Verdict
from stagelift.reports.words.provenance import passport_lines
from tests.judges import answered, opinionated
from tests.test_winrate import worked_verdicts

MATH = load_preferences(Source(path="bundled/schoolmath", split="test", limit=40))
PAIRS = load_preferences(Source(path="bundled/instructions", split="test", limit=200))


def test_worked_figures_of_position() -> None:
    found = passport("j", "hash", worked_verdicts(), None, None)
    assert found.position_consistency is not None and found.first_slot_rate is not None
    assert found.position_consistency.value == pytest.approx(7 / 12)
    assert found.first_slot_rate.value == pytest.approx(0.541667, abs=5e-7)
    assert (found.pairs, found.failures, found.fit) == (12, 0, None)
    # no lengths, nothing to say
    assert found.prefers_longer is None


def test_failures_are_counted_and_equal_responses_are_not() -> None:
    mine, theirs = answered({"a": "x", "b": "y"}), answered({"a": "x", "b": "z"})
    found = passport(
        "j", None, judge_pairs(mine, theirs, "test", "base", opinionated(None)), None, None
    )
    assert (found.pairs, found.failures, found.position_consistency) == (1, 1, None)


def test_the_longest_control_always_prefers_the_longer() -> None:
    mine, theirs = answered({"a": "xx", "b": "y"}), answered({"a": "x", "b": "yyy"})
    found = passport(
        "j", None, judge_pairs(mine, theirs, "test", "base", control("longest")), None, None
    )
    assert (
        found.prefers_longer is not None
        and found.prefers_longer.value == 1
        and found.prefers_longer.n == 2
    )
    assert found.position_consistency is not None and found.position_consistency.value == 1


def test_a_judge_that_knows_the_answers_is_fit() -> None:
    gold = gold_agreement(reference_judge(), MATH, "math")
    assert gold is not None
    assert (gold.agreement.value, gold.kappa.value, gold.failures) == (1, 1, 0)
    assert gold.control.value < 0.5 and gold.kappa.low < 1
    assert passport("j", None, [], gold, None).fit is True


def test_a_judge_that_decides_by_the_targets_is_not_checked_by_pairs_made_from_them() -> None:
    gold = gold_agreement(reference_judge(), MATH, "math")
    found = passport(ID, None, [], gold, None)
    assert (found.gold, found.fit) == (gold, None)
    written = dict(passport_lines(found))
    assert "fit by construction, which checks nothing" in written["judge's fitness"]
    assert "FIT TO DECIDE" not in written["judge's fitness"]


def coin() -> Judge:
    """Picks one of the two texts, whatever the order: consistent, and worth nothing."""

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        digests = [
            [hashlib.sha256(one.text.encode()).digest() for one in (pair.first, pair.second)]
            for pair in pairs
        ]
        return [Opinion(score=float(first > second), reason="coin") for first, second in digests]

    return Judge("coin", decide)


@pytest.mark.parametrize(
    "judge", [control("longest"), control("shortest"), control("random"), coin()]
)
@pytest.mark.parametrize("pairs", [PAIRS, MATH])
def test_neither_a_control_nor_a_coin_is_fit(judge: Judge, pairs: list[Preference]) -> None:
    gold = gold_agreement(judge, pairs, "pairs")
    assert gold is not None
    assert passport("j", None, [], gold, None).fit is False


def test_several_verdicts_on_one_prompt_count_as_one() -> None:
    verdicts = judge_pairs(
        answered({"a": "x", "b": "y"}),
        answered({"a": "z", "b": "zz"}),
        "test",
        "base",
        opinionated(1),
    )
    once, thrice = (passport("j", None, verdicts * times, None, None) for times in (1, 3))
    assert (
        once.first_slot_rate == thrice.first_slot_rate
        and once.position_consistency == thrice.position_consistency
    )
    assert thrice.first_slot_rate is not None and thrice.first_slot_rate.n == 2


def test_a_verdict_given_in_one_order_only_says_nothing_of_position(tmp_path: Path) -> None:
    row = {"prompt": "prompt a", "response_1": "x", "response_2": "z", "preference": 1}
    (tmp_path / "v.jsonl").write_text(json.dumps(row))
    judge = verdicts_judge(tmp_path / "v.jsonl")
    (verdict,) = judge_pairs(answered({"a": "x"}), answered({"a": "z"}), "test", "base", judge)
    assert (verdict.score, verdict.orders) == (1, None)


def test_a_judge_that_gives_no_verdicts_agrees_with_nothing() -> None:
    gold = gold_agreement(opinionated(None), PAIRS[:20], "pairs")
    assert gold is not None
    assert (gold.agreement.value, gold.failures, gold.position_consistency) == (0, 20, None)


def test_a_judge_of_slots_has_a_kappa_of_zero() -> None:
    gold = gold_agreement(opinionated(1), PAIRS, "pairs")
    assert gold is not None
    # it ties, over both orders, and a tie is no agreement
    assert gold.agreement.value == 0
    assert abs(gold.kappa.value) < 1e-9


def test_prompts_without_pairs_say_nothing_of_a_judge() -> None:
    prompt = Preference(
        id="1", prompt=[{"role": "user", "content": "p"}], chosen=None, rejected=None, answer=None
    )
    assert gold_agreement(opinionated(1), [prompt], "prompts") is None


def test_one_verdict_per_pair_has_no_order_to_be_consistent_in() -> None:
    assert (
        position_consistency([Verdict(id="1", against="reference", score=1.0, reason="file")])
        is None
    )
