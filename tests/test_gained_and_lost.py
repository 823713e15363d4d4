"""What each stage gained and lost, in a line of a report's first screen."""

from dataclasses import replace
from io import StringIO
from math import log

from stagelift.evals.metrics.retention import (
    likelihood_clusters,
    likelihood_metrics,
    likelihood_values,
)
from stagelift.evals.records import ChoiceScore, PassageScore
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, build_report
from stagelift.reports.words.gained_and_lost import gained_and_lost
from tests.records import CONTRACT, make_chain

RETENTION = {
    "looping": "looping-1",
    "retention_choices": "choices-1, 40 questions",
    "retention_text": "passages-1, 24 passages",
}


def with_retention(stage: StageRecord, right: int, bits: float) -> StageRecord:
    """A stage that answers so many of 40 questions, and needs about so many bits per byte."""
    choices = [
        ChoiceScore(
            id=f"choice/{n}",
            topic=f"topic {n % 10}",
            right=0,
            nats=(-1.0, -2.0) if n < right else (-2.0, -1.0),
            characters=(1, 1),
        )
        for n in range(40)
    ]
    passages = [
        PassageScore(
            id=f"passage/{n}",
            document=f"document {n % 8}",
            nats=-bits * (1 + 0.05 * (n % 8)) * log(2) * 400,
            n_tokens=100,
            n_bytes=400,
        )
        for n in range(24)
    ]
    evaluation = stage.evaluation.model_copy(
        update={
            "contract": CONTRACT | RETENTION,
            "metrics": stage.evaluation.metrics | likelihood_metrics(choices, passages),
        }
    )
    return replace(
        stage,
        evaluation=evaluation,
        stored_values=likelihood_values(choices, passages),
        stored_clusters=likelihood_clusters(choices, passages),
    )


def measured(*retained: tuple[int, float], **stages: str) -> RunRecord:
    run = make_chain(**stages)
    made = [with_retention(stage, *kept) for stage, kept in zip(run.stages, retained, strict=True)]
    return replace(run, stages=made, contract=CONTRACT | RETENTION)


def report() -> Report:
    return build_report(
        [
            measured(
                (30, 1.0),
                (30, 1.2),
                (30, 1.2),
                base="w" * 40,
                sft="c" * 36 + "w" * 4,
                dpo="c" * 36 + "w" * 4,
            )
        ]
    )


def test_a_stage_gains_accuracy_and_loses_text() -> None:
    sft, dpo, whole = gained_and_lost(report())
    assert (sft.stage, sft.against) == ("sft", "base")
    assert sft.gained.startswith("accuracy +90.0 [")
    assert sft.gained.endswith(" points") and sft.lost.startswith("text loss +0.235 [+0.2")
    assert sft.lost.endswith(" bits per byte")
    assert (dpo.stage, dpo.against, dpo.gained) == ("dpo", "sft", "nothing shown")
    assert dpo.lost.startswith("nothing shown")
    assert (whole.stage, whole.against) == ("dpo", "base")
    assert "accuracy +90.0" in whole.gained and "text loss +0.235" in whole.lost


def test_where_nothing_is_shown_lost_it_says_what_would_have_been() -> None:
    run = measured((30, 1.0), (28, 1.0), base="w" * 40, sft="c" * 36 + "w" * 4)
    (line,) = gained_and_lost(build_report([run]))
    assert line.lost.startswith("nothing shown (would likely have shown ")
    assert " points of multiple choice" in line.lost


def test_what_an_engine_could_not_tell_is_named() -> None:
    run = make_chain(base="wwww", sft="cccc")
    stages = [
        replace(
            stage,
            evaluation=stage.evaluation.model_copy(update={"contract": CONTRACT | RETENTION}),
        )
        for stage in run.stages
    ]
    (line,) = gained_and_lost(
        build_report([replace(run, stages=stages, contract=CONTRACT | RETENTION)])
    )
    assert line.lost.endswith("; not measured: multiple choice and text loss")


def test_without_the_suite_nothing_is_said() -> None:
    assert gained_and_lost(build_report([make_chain(base="wwww", sft="cccc")])) == []


def test_every_format_has_it_on_its_first_screen() -> None:
    made = report()
    console = Console(StringIO(), width=120, record=True)
    with console.capture() as captured:
        print_report(made, console)
    # a terminal's lines say what was lost, and --full says all of it
    shown = captured.get()
    assert shown.index("; lost ") < shown.index("95%") < shown.index("Gained and lost")
    for text in (render_markdown(made), render_markdown_summary(made)):
        assert text.index("; lost ") < text.index("95%") < text.index("Gained and lost")
    # the page's lines say what was lost, the rest of it is folded
    page = render_html(made).html
    assert page.index("; lost ") < page.index("<svg") < page.index("Gained and lost")


def test_retention_takes_no_verdict_from_the_headline() -> None:
    letters = {"base": "w" * 40, "sft": "c" * 36 + "w" * 4}
    plain = build_report([make_chain(**letters)])
    with_suite = build_report([measured((30, 1.0), (20, 1.3), **letters)])
    for metric in ("accuracy", "length_tokens"):
        before, after = (
            next(one for one in made.comparisons() if one.metric == metric)
            for made in (plain, with_suite)
        )
        assert (before.p_adjusted, before.tests, before.verdict) == (
            after.p_adjusted,
            after.tests,
            after.verdict,
        )
    lost = next(one for one in with_suite.comparisons() if one.metric == "bits_per_byte")
    assert (lost.family, lost.verdict, lost.difference.clusters) == ("other", "regressed", 8)
