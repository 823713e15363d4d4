from dataclasses import replace

import pytest

from stagelift.reports.numbers.compare import compare_stages
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from stagelift.reports.words import formatting
from tests.records import CONTRACT, chain, make_chain, make_run, make_score, make_stage


def same_responses(run: RunRecord) -> RunRecord:
    """The run with its last stage answering what the first one does."""
    first, *others, last = run.stages
    return replace(run, stages=[first, *others, replace(last, generations=first.generations)])


def test_only_the_same_responses_are_identical_and_their_interval_is_honest() -> None:
    run = chain([True, False] * 20, [True, False] * 20, lengths=(40, 40))
    other = [c for c in compare_stages([run]) if c.verdict != "extrapolated"]
    same = compare_stages([same_responses(run)])
    assert {comparison.verdict for comparison in other} == {"no difference shown"}
    assert {comparison.verdict for comparison in same} == {"identical"}
    for comparison in (*other, *same):
        assert comparison.low < comparison.delta == 0 < comparison.high
        assert comparison.p_adjusted == pytest.approx(1)


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


def test_shorter_is_neither_better_nor_worse() -> None:
    base = make_stage("base", [make_score(f"p/{i}", True, 60 + i % 5) for i in range(40)])
    sft = make_stage("sft", [make_score(f"p/{i}", True, 40 + i % 7) for i in range(40)], [base])
    found = {c.metric: c for c in compare_stages([make_run([base, sft])])}
    assert found["length_tokens"].verdict == "shorter"


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
        assert comparison.p_adjusted is not None and comparison.p_adjusted >= comparison.p


def test_the_first_trained_stage_is_compared_with_base_once() -> None:
    found = compare_stages([chain([False] * 40, [True] * 40)])
    keys = [(c.metric, c.stage, c.against) for c in found]
    assert len(set(keys)) == len(keys)
    assert {against for _, _, against in keys} == {"base"}


def test_equal_tests_count_once_and_show_the_same() -> None:
    """Three readings of accuracy and two win rates say which answers are right: the headline is one
    test of accuracy and one of length.
    """
    found = compare_stages([chain([False] * 60, [True] * 9 + [False] * 51, lengths=(60, 40))])
    by_metric = {c.metric: c for c in found}
    accuracy = by_metric["accuracy"]
    for name in ("accuracy_strict", "accuracy_flexible", "win_rate_base", "win_rate_previous"):
        copy = by_metric[name]
        assert (copy.p, copy.p_adjusted, copy.level, copy.family) == (
            accuracy.p,
            accuracy.p_adjusted,
            accuracy.level,
            "headline",
        )
        assert copy.verdict == accuracy.verdict
    # the other test of the headline is shown
    assert accuracy.level == 0.05 and by_metric["truncated"].family == "other"
    assert by_metric["length_tokens"].verdict == "shorter"


def test_what_the_family_takes_away_is_said_and_its_mde_is_that_of_the_verdict() -> None:
    """6 of 60 gained and 0 lost has p = .028; the headline has two tests beside it, of what dpo
    lost and of lengths that stay.
    """
    run = make_chain(base="w" * 60, sft="c" * 6 + "w" * 54, dpo="c" * 5 + "w" * 55)
    sft = next(c for c in compare_stages([run]) if (c.metric, c.stage) == ("accuracy", "sft"))
    assert sft.p == pytest.approx(0.0276, abs=1e-4) and sft.low > 0
    assert (sft.p_adjusted, sft.level) == pytest.approx((3 * sft.p, 0.05 / 3))
    assert sft.verdict == "not after Holm"
    assert formatting.verdict(sft) == "not after Holm (p = 0.028, adjusted p = 0.083)"
    assert sft.mde is not None and sft.mde > sft.delta
    assert sft.needed is not None and sft.needed > sft.n


def test_problems_are_joined_by_id_not_by_position() -> None:
    run = chain([True, False] * 20, [True, False] * 20)
    shuffled = list(reversed(run.stages[1].scores))
    other = make_run([run.stages[0], replace(run.stages[1], scores=shuffled)])
    assert compare_stages([other])[0].delta == 0
    assert compare_stages([same_responses(other)])[0].verdict == "identical"


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
