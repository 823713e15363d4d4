from dataclasses import replace

import pytest

from stagelift.reports.numbers.compare import compare_stages
from stagelift.reports.report import build_report
from tests.records import CONTRACT, chain, make_run, make_score, make_stage


def test_a_stage_that_changes_nothing_is_identical_in_everything() -> None:
    run = chain([True, False] * 20, [True, False] * 20, lengths=(40, 40))
    for comparison in compare_stages([run]):
        assert (comparison.delta, comparison.low, comparison.high) == (0, 0, 0)
        assert comparison.verdict == "identical"
        assert comparison.p is None and comparison.p_adjusted is None and comparison.mde is None


def test_a_plain_gain_is_improved_and_its_mirror_regressed() -> None:
    gained = {
        c.metric: c for c in compare_stages([chain([False] * 60, [True] * 40 + [False] * 20)])
    }
    lost = {c.metric: c for c in compare_stages([chain([True] * 40 + [False] * 20, [False] * 60)])}
    assert gained["accuracy"].verdict == "improved"
    assert gained["accuracy"].delta == pytest.approx(40 / 60)
    assert gained["accuracy"].n == 60
    assert lost["accuracy"].verdict == "regressed"
    assert lost["accuracy"].delta == -gained["accuracy"].delta
    assert lost["win_rate_base"].verdict == "regressed"


def test_shorter_is_improved() -> None:
    base = make_stage("base", [make_score(f"p/{i}", True, 60 + i % 5) for i in range(40)])
    sft = make_stage("sft", [make_score(f"p/{i}", True, 40 + i % 7) for i in range(40)], [base])
    found = {c.metric: c for c in compare_stages([make_run([base, sft])])}
    assert found["length_tokens"].verdict == "improved"


def test_a_small_difference_is_not_shown_and_has_an_mde() -> None:
    found = {
        c.metric: c
        for c in compare_stages([chain([True] * 30 + [False] * 30, [True] * 32 + [False] * 28)])
    }
    assert found["accuracy"].verdict == "no difference shown"
    assert found["accuracy"].mde is not None and found["accuracy"].mde > abs(
        found["accuracy"].delta
    )


def test_holm_only_ever_raises_p() -> None:
    for comparison in compare_stages([chain([False, True] * 30, [True, True, False, True] * 15)]):
        if comparison.p is not None:
            assert comparison.p_adjusted is not None and comparison.p_adjusted >= comparison.p


def test_the_first_trained_stage_is_compared_with_base_once() -> None:
    found = compare_stages([chain([False] * 40, [True] * 40)])
    keys = [(c.metric, c.stage, c.against) for c in found]
    assert len(set(keys)) == len(keys)
    assert {against for _, _, against in keys} == {"base"}
    by_metric = {c.metric: c for c in found}
    # one test, counted once
    assert by_metric["win_rate_previous"].p_adjusted == by_metric["win_rate_base"].p_adjusted
    tests = sum(c.p is not None for c in found) - 1
    smallest = min(c.p for c in found if c.p is not None)
    assert min(c.p_adjusted for c in found if c.p_adjusted is not None) == pytest.approx(
        tests * smallest
    )


def test_problems_are_joined_by_id_not_by_position() -> None:
    run = chain([True, False] * 20, [True, False] * 20)
    shuffled = list(reversed(run.stages[1].scores))
    other = make_run([run.stages[0], replace(run.stages[1], scores=shuffled)])
    assert compare_stages([other])[0].verdict == "identical"


def test_different_problems_are_refused() -> None:
    base = make_stage("base", [make_score("a", True), make_score("b", True)])
    sft = make_stage("sft", [make_score("a", True), make_score("b", True)], [base])
    sft = replace(sft, scores=[sft.scores[0], sft.scores[1].model_copy(update={"id": "c"})])
    with pytest.raises(ValueError, match="different problems"):
        compare_stages([make_run([base, sft])])


def test_unequal_contracts_are_refused_naming_the_field() -> None:
    one = chain([True] * 4, [True] * 4)
    contract = {**CONTRACT, "max_tokens": 256}
    stages = [
        replace(s, evaluation=s.evaluation.model_copy(update={"contract": contract}))
        for s in one.stages
    ]
    other = make_run(stages, name="other", contract=contract)
    with pytest.raises(ValueError, match="max_tokens is 96 in one and 256 in the other"):
        build_report([one, other])
