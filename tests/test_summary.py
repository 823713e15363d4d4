from dataclasses import replace

from stagelift.reports.report import build_report
from stagelift.reports.words.formatting import OTHER_FAMILY
from stagelift.reports.words.room import room_left
from stagelift.reports.words.summary import summary
from tests.records import make_chain, with_passport

N = 60


def test_each_stages_verdicts_are_told_in_words() -> None:
    run = make_chain(base="w" * N, sft="c" * 40 + "w" * 20, dpo="c" * 41 + "w" * 19)
    text = summary(build_report([run]))
    assert text.startswith(
        "sft improved accuracy against base; no difference was shown in response length or the "
        "share of cut-off responses. dpo against sft: no difference was shown in accuracy, "
        "response length or the share of cut-off responses. The whole chain up to dpo improved "
        f"accuracy {OTHER_FAMILY} against base; "
    )
    assert "The win rate is accuracy and brevity again: its judge knows the targets." in text
    assert text.endswith(
        "That none was shown does not mean that there is none: in accuracy (n=60) the 95% interval "
        "leaves room for 7.1 points; to be shown again with 80% chance, after Holm, one has to be "
        "14.7 (MDE)."
    )


def test_the_room_that_is_said_to_be_left_is_an_end_of_the_widest_interval_without_a_verdict() -> (
    None
):
    report = build_report(
        [make_chain(base="w" * N, sft="c" * 40 + "w" * 20, dpo="c" * 44 + "w" * 16)]
    )
    (alike,) = (
        one
        for one in report.comparisons()
        if one.metric == "accuracy" and one.verdict == "no difference shown"
    )
    assert alike.low <= 0 <= alike.high
    assert room_left([alike]).startswith(f"95% interval leaves room for {100 * alike.high:.1f} ")
    assert room_left([alike]) in summary(report)


def test_so_few_that_nothing_could_be_shown_are_said_to_be() -> None:
    text = summary(build_report([make_chain(base="cw", sft="wc")]))
    assert text.endswith("; so few as these show no difference after Holm.")


def test_a_regression_is_called_one_and_longer_is_not() -> None:
    text = summary(build_report([make_chain(base="c" * N, sft="t" * 40 + "c" * 20)]))
    assert (
        "sft regressed accuracy and the share of cut-off responses against base; response length "
        "got longer." in text
    )
    assert "improved" not in text and "shown" not in text


def test_what_the_family_takes_away_is_told_with_its_adjusted_p() -> None:
    run = make_chain(base="w" * N, sft="c" * 6 + "w" * 54, dpo="c" * 5 + "w" * 55)
    assert "sft against base: not after Holm's adjustment: accuracy (p = 0.083);" in summary(
        build_report([run])
    )


def test_a_win_rate_by_an_unfit_judge_is_left_out_and_it_says_so() -> None:
    report = build_report([make_chain(base="w" * N, sft="c" * N)])
    text = summary(with_passport(report, fit=False))
    assert "The judge is not fit to decide, so no win rate counts here." in text
    assert "the win rate" not in text.replace("no win rate", "")


def test_a_run_of_one_stage_says_nothing_of_what_was_added() -> None:
    assert summary(build_report([make_chain(base="cw")])) == (
        "Only one stage was measured, so nothing can be said of what any added."
    )


def test_several_runs_are_named_and_compared_with_the_first() -> None:
    text = summary(
        build_report(
            [make_chain("one", base="w" * N, sft="c" * N), make_chain("two", base="c", sft="c")]
        )
    )
    assert (
        text.startswith("one: sft improved accuracy")
        and " two: sft against base: no difference was shown in accuracy, response length or the "
        in text
    )
    assert " two/sft against one/sft: the same responses, byte for byte" in text


def test_an_unfinished_run_says_what_is_missing() -> None:
    run = replace(make_chain(base="cw", sft="cc"), missing=["dpo", "grpo"])
    assert "Not evaluated yet: dpo, grpo." in summary(build_report([run]))
