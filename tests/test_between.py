"""Runs against one another: which stages belong together, and what is said of them."""

import random
from dataclasses import replace

import pytest

from stagelift.evals.records import Metric
from stagelift.reports.formats.document import report_document
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.numbers.between import compare_runs, stage_pairs
from stagelift.reports.records import RunRecord
from stagelift.reports.report import build_report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.words.summary import summary
from tests.records import make_chain, make_lattice, make_run, make_study, with_passport


def pairs(run: RunRecord, first: RunRecord) -> list[tuple[str, str]]:
    return [(mine.name, theirs.name) for mine, theirs in stage_pairs(run, first)]


def renamed(run: RunRecord, **names: str) -> RunRecord:
    """The run with other names of its stages."""
    stages = [
        replace(
            stage,
            name=names.get(stage.name, stage.name),
            parent=None if stage.parent is None else names.get(stage.parent, stage.parent),
        )
        for stage in run.stages
    ]
    return replace(run, stages=stages)


def test_stages_of_one_name_belong_together_and_a_shared_base_is_left_out() -> None:
    first = make_chain("first", base="wwww", sft="cwww", dpo="ccww")
    second = make_chain("second", base="wwww", sft="ccww", dpo="cccw")
    assert pairs(second, first) == [("sft", "sft"), ("dpo", "dpo")]
    third = make_chain("third", base="wcww", sft="ccww", dpo="cccw")
    assert pairs(third, first) == [("base", "base"), ("sft", "sft"), ("dpo", "dpo")]


def test_stages_of_other_names_are_paired_by_place_and_the_ends_with_each_other() -> None:
    first = make_chain("first", base="wwww", sft="cwww", dpo="ccww")
    second = renamed(make_chain("second", base="wwww", sft="ccww", dpo="cccw"), sft="warm-up")
    assert pairs(second, first) == [("dpo", "dpo"), ("warm-up", "sft")]
    short = make_chain("short", base="wwww", sft="cccw")
    assert pairs(short, first) == [("sft", "sft"), ("sft", "dpo")]


def test_bases_that_were_only_measured_are_one_where_their_values_are() -> None:
    def measured(name: str, base: float) -> RunRecord:
        run = make_chain(name, base="wwww", sft="cwww")
        values = {"base": base, "sft": 0.9}
        stages = [
            replace(
                stage,
                scores=[],
                generations={},
                stored_values={"t/acc": {"1": values[stage.name]}},
            )
            for stage in run.stages
        ]
        return replace(run, stages=stages)

    first = measured("first", 0.1)
    assert pairs(measured("other", 0.5), first) == [("base", "base"), ("sft", "sft")]
    assert pairs(measured("same", 0.1), first) == [("sft", "sft")]


def test_runs_of_one_stage_are_compared_even_where_they_answer_the_same() -> None:
    first, second = make_chain("first", base="cwcw"), make_chain("second", base="cwcw")
    (section,) = between_sections(build_report([first, second]))
    assert {cell.verdict for row in section.table.groups[0] for cell in row.cells} == {"identical"}


def test_in_studies_only_names_say_what_belongs_together() -> None:
    one = make_lattice(base="wwww", sft="ccww", dpo="cwww", both="cccc")
    other = replace(make_lattice(base="wwww", sft="cwww", dpo="cwww", both="cccw"), name="other")
    assert {mine == theirs for mine, theirs in pairs(other, one)} == {True}


def test_a_difference_is_that_of_the_same_stages_in_one_run_whatever_the_order_of_problems() -> (
    None
):
    letters = random.Random(3).choices("cw", k=60), random.Random(4).choices("ccw", k=60)
    before, after = map("".join, letters)
    within = build_report([make_chain(base=before, sft=after)])
    first, second = make_chain("first", base=before), make_chain("second", base=after)
    (stage,) = second.stages
    turned = replace(stage, scores=stage.scores[::-1])
    found = compare_runs([first, replace(second, stages=[turned])])
    accuracy = next(one for one in found if one.metric == "accuracy")
    same = within.runs[0].find("accuracy", within.runs[0].stages[1], "base")
    assert same is not None
    assert accuracy.difference.delta == pytest.approx(same.difference.delta)
    assert (accuracy.low, accuracy.high) == pytest.approx((same.low, same.high))
    assert accuracy.p == pytest.approx(same.p) and accuracy.n == 60
    assert (accuracy.against_run, accuracy.against, accuracy.family) == ("first", "base", "runs")


def test_every_headline_metric_is_compared_and_the_judge_that_knows_targets_is_not() -> None:
    first = make_chain("first", base="wwww" * 9, sft="cwww" * 9)
    second = make_chain("second", base="wwww" * 9, sft="cccw" * 9)
    found = compare_runs([first, second])
    assert {comparison.metric for comparison in found} == {"accuracy", "length_tokens"}
    assert {comparison.tests for comparison in found} == {2}
    third = make_chain("third", base="wwww" * 9, sft="wwww" * 9)
    assert {one.against_run for one in compare_runs([first, second, third])} == {"first"}


def test_tokens_of_another_base_are_not_compared_characters_are() -> None:
    first, second = make_chain("first", base="wwww"), make_chain("second", base="cccw")
    stage = second.stages[0]
    other = {
        key: one.model_copy(update={"response": "5"}) for key, one in stage.generations.items()
    }
    second = replace(second, stages=[replace(stage, generations=other)])
    assert {one.metric for one in compare_runs([first, second])} == {"accuracy", "length_chars"}
    named = [
        replace(run, stages=[replace(run.stages[0], identity={"model": "tiny"})])
        for run in (first, second)
    ]
    assert {one.metric for one in compare_runs(named)} == {"accuracy", "length_tokens"}


def test_runs_of_other_contracts_are_refused_with_the_field() -> None:
    first, second = make_chain("first", base="cw"), make_chain("second", base="cw")
    contract = {**second.contract, "max_tokens": 7}
    evaluation = second.stages[0].evaluation.model_copy(update={"contract": contract})
    other = replace(second.stages[0], evaluation=evaluation)
    with pytest.raises(ValueError, match="max_tokens is 96 in one and 7 in the other"):
        build_report([first, make_run([other], "second", contract)])


def test_every_format_says_how_runs_compare_and_none_that_they_are_not_compared() -> None:
    first = make_chain("first", base="w" * 40, sft="w" * 30 + "c" * 10)
    second = make_chain("second", base="w" * 40, sft="w" * 5 + "c" * 35)
    report = build_report([first, second])
    assert summary(report).count("second/sft improved accuracy against first/sft") == 1
    assert "not compared" not in summary(report) and "not with one another" not in summary(report)
    for text in (render_markdown(report), render_markdown_summary(report)):
        assert "### second against first" in text and "second/sft against first/sft" in text
        assert "**improved**" in text
    page = render_html(report).html
    assert 'id="between"' in page and "second/sft against first/sft" in page
    (accuracy,) = [
        one for one in report_document(report)["between_runs"] if one["metric"] == "accuracy"
    ]
    assert (accuracy["against_run"], accuracy["verdict"]) == ("first", "improved")
    assert report_document(build_report([first]))["between_runs"] == []


def test_an_unfit_judge_decides_nothing_between_runs_either() -> None:
    first = make_chain("first", base="w" * 9, sft="c" * 9)
    report = with_passport(build_report([first, make_chain("second", base="w" * 9)]), fit=False)
    assert not [one for one in report.between if one.metric.startswith("win_rate")]


def test_two_runs_that_share_no_metric_say_so() -> None:
    first, second = make_chain("first", base="cw"), make_chain("second", base="cw")
    rate = Metric(value=0.5, low=0.1, high=0.9, n=2)
    only = second.stages[0].evaluation.model_copy(update={"metrics": {"task/acc": rate}})
    report = build_report(
        [first, replace(second, stages=[replace(second.stages[0], evaluation=only)])]
    )
    assert report.between == [] and between_sections(report) == []
    assert "No metric could be compared between the runs." in summary(report)


def seeded(run: str, *rights: int) -> RunRecord:
    """A run of one stage that was trained with several seeds, right on so many of 40 problems."""
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 40)}
    chains = []
    for seed, right in enumerate(rights):
        name = f"seed={seed}/sft"
        stages[name] = ("base", "c" * right + "w" * (40 - right))
        chains.append(("", seed, {"base": "base", "sft": name}))
    return make_study(stages, chains, run=run)


def test_what_was_trained_with_several_seeds_is_compared_as_a_recipe() -> None:
    first, second = seeded("first", 10, 12, 14), seeded("second", 30, 31, 35)
    found = {one.metric: one for one in compare_runs([first, second])}
    accuracy = found["accuracy"]
    assert (accuracy.stage, accuracy.against, accuracy.seeds) == ("sft", "sft", (3, 3))
    assert accuracy.delta == pytest.approx(20 / 40) and accuracy.verdict == "improved"
    assert accuracy.mde is None and accuracy.needed is None
    report = build_report([first, second])
    (section,) = between_sections(report)
    assert section.table.groups[0][0].cells[0].notes == ("seeds 3 against 3",)
    assert "second/sft improved accuracy against first/sft" in summary(report)


def test_seeds_that_differ_as_much_as_the_runs_show_nothing() -> None:
    first, second = seeded("first", 2, 20, 38), seeded("second", 10, 25, 39)
    accuracy = compare_runs([first, second])[0]
    assert accuracy.metric == "accuracy" and accuracy.verdict == "no difference shown"
    assert accuracy.low < 0 < accuracy.high


def test_a_chain_is_compared_with_a_recipe_by_the_name_of_the_stage() -> None:
    first, second = seeded("first", 10, 12, 14), make_chain("second", base="w" * 40, sft="c" * 40)
    (accuracy, *_) = compare_runs([first, second])
    assert (accuracy.stage, accuracy.against, accuracy.seeds) == ("sft", "sft", (1, 3))
