"""Which checkpoint is best, what cannot be told from it, and how a report says so."""

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from stagelift.evals.stats.families import holm
from stagelift.reports.formats.document import report_document
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.numbers.trajectory import best_checkpoint, trajectory
from stagelift.reports.plots import plots
from stagelift.reports.plots.trajectory import trajectory_plot
from stagelift.reports.records import CheckpointRecord, RunRecord, TrajectoryRecord
from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.trajectory import trajectory_sections
from stagelift.reports.words.summary import summary
from stagelift.reports.words.trajectory import checkpoint_word, trajectory_sentence
from tests.calibration_of_trajectories import CURVES, each_best_kept, selected
from tests.records import make_chain, make_outcome, make_stage
from tests.test_document import SCHEMA, strict


def letters(right: int, n: int = 60) -> str:
    return "c" * right + "w" * (n - right)


def measured(metric: str = "accuracy", base: int = 5, **right: int) -> TrajectoryRecord:
    """Checkpoints `at_100=30` with so many of 60 validation problems right: always the first."""
    made = make_chain(base=letters(base), **{name: letters(n) for name, n in right.items()})
    first, *stages = made.stages
    checkpoints = [
        CheckpointRecord(int(stage.name.removeprefix("at_")), replace(stage, parent="base"))
        for stage in stages
    ]
    return TrajectoryRecord(metric, first, checkpoints, {})


def run_with(record: TrajectoryRecord) -> RunRecord:
    return replace(make_chain(base=letters(5), sft=letters(28)), trajectories={"sft": record})


def report_of(record: TrajectoryRecord) -> Report:
    return build_report([run_with(record)])


def test_the_best_value_is_selected_and_of_equal_ones_the_earliest() -> None:
    record = measured(at_100=20, at_200=31, at_300=31, at_400=30)
    assert best_checkpoint(record).step == 200


def test_where_less_is_better_the_least_is_selected() -> None:
    record = measured("truncated", at_100=20, at_200=31)
    cut = make_stage("at_300", [make_outcome(f"p/{number}", "truncated") for number in range(60)])
    record.checkpoints.append(CheckpointRecord(50, replace(cut, parent="base")))
    assert best_checkpoint(record).step == 100


def test_every_other_checkpoint_is_compared_with_the_best_and_holm_adjusted() -> None:
    run = run_with(measured(at_100=10, at_200=31, at_300=28, at_400=30))
    curve = trajectory("demo", "sft", run.trajectories["sft"], None)
    beside = {point.step: point.beside for point in curve.points}
    assert beside[200] is None and curve.selected == 200
    others = [made for made in beside.values() if made is not None]
    assert [made.p_adjusted for made in others] == pytest.approx(
        holm([made.difference.p for made in others])
    )
    assert [round(60 * made.difference.delta) for made in others] == [-21, -3, -1]
    assert [made.is_apart for made in others] == [True, False, False]
    assert curve.alike == [300, 400]


def test_a_checkpoint_that_answers_the_same_cannot_be_told_from_the_best() -> None:
    curve = trajectory("demo", "sft", measured(at_100=31, at_200=31, at_300=31), None)
    assert curve.selected == 100 and curve.alike == [200, 300]


def test_another_checkpoint_than_was_written_down_is_a_contradiction() -> None:
    record = replace(measured(at_100=20, at_200=31), selected=100)
    with pytest.raises(
        ValueError, match="of step 100, and by accuracy the best is that of step 200"
    ):
        report_of(record)


@pytest.mark.parametrize(("metric", "n"), [("accuracy", 50), ("pass@2", 0)])
def test_checkpoints_that_were_not_measured_on_the_same_prompts_are_not_ranked(
    metric: str, n: int
) -> None:
    record = measured(metric, at_100=20, at_200=31)
    short = make_stage("at_300", [make_outcome(f"p/{number}", "correct") for number in range(50)])
    record.checkpoints.append(CheckpointRecord(300, replace(short, parent="base")))
    of_step = "step 300" if n else "step 100"
    with pytest.raises(ValueError, match=f"{of_step} was measured on {n} validation prompts"):
        trajectory("demo", "sft", record, None)


def test_the_summary_says_which_checkpoint_a_stage_is_and_which_it_might_as_well_be() -> None:
    report = report_of(measured(at_100=10, at_200=31, at_300=28))
    sentence = (
        "sft is its checkpoint of step 200, the best of 3 by accuracy on validation data "
        "(51.7% [39.3, 63.8], n=60); step 300 cannot be told from it."
    )
    assert trajectory_sentence(report.runs[0].trajectories[0]) == sentence
    assert sentence in summary(report)


@pytest.mark.parametrize(
    ("right", "ending"),
    [
        ({"at_5": 3, "at_10": 40}, "every other one can be told from it."),
        ({"at_5": 39, "at_10": 40, "at_15": 38}, "none of the others can be told from it."),
        ({"at_5": 39}, "there was no other."),
    ],
)
def test_a_sentence_fits_what_was_shown(right: dict[str, int], ending: str) -> None:
    curve = report_of(measured(**right)).runs[0].trajectories[0]
    assert trajectory_sentence(curve).endswith(ending)


def test_every_format_has_base_and_all_checkpoints() -> None:
    report = report_of(replace(measured(at_100=10, at_200=31), left_out={"checkpoint-300": "no"}))
    (section,) = trajectory_sections(report)
    assert section.title == "Which checkpoint: sft"
    assert [row.title for group in section.table.groups for row in group] == [
        "base",
        "step 100",
        "step 200",
    ]
    assert "checkpoint-300 was left out: no" in section.notes
    words = [checkpoint_word(point) for point in report.runs[0].trajectories[0].points]
    assert words == ["told apart", "selected"]
    for text in (render_markdown(report), render_html(report).html):
        assert "Which checkpoint: sft" in text and "step 200" in text


def test_report_json_has_the_curve_and_the_schema_tells_its_names() -> None:
    document = report_document(report_of(measured(at_100=10, at_200=31)))
    Draft202012Validator(strict(SCHEMA)).validate(json.loads(json.dumps(document)))
    (curve,) = document["trajectories"]
    assert [point["step"] for point in curve["points"]] == [100, 200]
    assert curve["points"][0]["to_selected"]["is_apart"] is True
    assert curve["points"][1]["to_selected"] is None
    assert curve["base"]["value"] == 5 / 60 and curve["reported"]["value"] == 28 / 60


def test_a_run_without_a_trajectory_says_nothing_of_one() -> None:
    report = build_report([make_chain(base=letters(5), sft=letters(28))])
    assert "trajectories" not in report_document(report)
    assert trajectory_plot(report) is None
    assert "checkpoint" not in render_markdown(report)


def test_the_curve_says_in_words_what_it_shows() -> None:
    report = report_of(measured(at_100=10, at_200=31))
    plot = plots(report)[0]
    assert plot.name == "trajectory"
    assert "16.7% [9.3, 28.0] at step 100, 51.7% [39.3, 63.8] at step 200; base 8.3%" in plot.alt
    assert "Selected: step 200." in plot.alt
    for text in ("selected", "cannot be told from it", "told apart", "100", "200"):
        assert f">{text}<" in plot.svg


@pytest.mark.parametrize("name", ["all equal, of 10", "a peak of 5 points, of 10"])
def test_a_truly_best_checkpoint_is_among_those_that_cannot_be_told_apart(name: str) -> None:
    for alike in (0.3, 0.8):
        assert each_best_kept(CURVES[name], 128, alike, trials=500) >= 0.95


def test_the_value_of_the_best_of_many_equal_ones_is_too_high() -> None:
    assert selected(CURVES["all equal, of 10"], 128, 0.3, trials=500).too_high > 0.04
