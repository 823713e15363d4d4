"""Signs of illness in a report: beside the stage, on its curves, in report.json and on its card."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any

from jsonschema import Draft202012Validator

from stagelift.harness.progress import LiveView, NotebookView, describe
from stagelift.reports.formats.card import render_card
from stagelift.reports.formats.console import Console
from stagelift.reports.formats.document import report_document
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.formats.terminal import print_report
from stagelift.reports.plots.training import training_plot
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report, build_report
from stagelift.reports.words.illness import TITLE, illnesses, signs_of
from stagelift.stages.health.finding import Stop
from stagelift.stages.health.watch import findings
from stagelift.stages.records import StageResult
from tests.records import make_chain
from tests.test_document import SCHEMA

ILL: list[dict[str, Any]] = [
    {
        "step": step,
        "reward": 0.0,
        "reward_std": 0.0,
        "frac_reward_zero_std": 1.0,
        "completions/clipped_ratio": 0.75,
    }
    for step in range(1, 13)
]
STOP = Stop(step=12, steps=40, why="The reward is too simple.")
SENTENCE = (
    "Since step 5: 100% of the groups of the last 5 logged steps carry no signal: their "
    "completions all got the same reward, so they teach nothing."
)


def ill_run(**update: Any) -> RunRecord:
    """A chain whose last stage got the same reward for everything."""
    run = make_chain(base="cw", grpo="cc")
    last = run.stages[-1]
    assert last.training is not None
    training = last.training.model_copy(update={"history": ILL, **update})
    return replace(run, stages=[*run.stages[:-1], replace(last, training=training)])


def ill_report(**update: Any) -> Report:
    return build_report([ill_run(**update)])


def terminal(report: Report) -> str:
    console = Console(width=160, file=StringIO())
    with console.capture() as capture:
        print_report(report, console)
    return " ".join(capture.get().split())


def test_a_stage_that_was_ill_is_said_to_have_been_in_every_format() -> None:
    report = ill_report(signs=findings(ILL), stopped=STOP)
    for text in (
        terminal(report),
        render_markdown(report),
        render_markdown_summary(report),
        render_html(report).html,
    ):
        assert TITLE in text
        assert "Training was stopped at step 12 of 40: The reward is too simple." in text
        assert SENTENCE in text
    card = render_card(report.runs[0].record, report.stages()[-1])
    assert "Training was stopped at step 12 of 40" in card and SENTENCE in card


def test_what_an_earlier_version_recorded_is_read_again() -> None:
    (ill,) = illnesses(ill_report())
    assert ill.stage == ill_report().stages()[-1].name
    assert ill.sentences[0].startswith(SENTENCE)
    assert [sign.sign for sign in signs_of(ill_report().stages()[-1])] == ["no signal", "cut off"]


def test_nothing_is_said_of_stages_that_were_well() -> None:
    report = build_report([make_chain(base="cw", grpo="cc")])
    assert illnesses(report) == []
    assert TITLE not in terminal(report) + render_markdown(report) + render_html(report).html


def test_the_curves_say_since_when_a_stage_was_ill() -> None:
    plot = training_plot(ill_report())
    assert plot is not None and "ill since step 5, 10" in plot.alt
    well = training_plot(build_report([make_chain(base="cw", grpo="cc")]))
    assert well is not None and "ill since" not in well.alt


def test_report_json_has_the_signs_as_its_schema_tells() -> None:
    document = report_document(ill_report(stopped=STOP))
    Draft202012Validator(SCHEMA).validate(document)
    training = document["stages"][-1]["training"]
    assert training["stopped"] == {"step": 12, "steps": 40, "why": "The reward is too simple."}
    assert [(sign["sign"], sign["step"], sign["value"]) for sign in training["signs"]] == [
        ("no signal", 5, 1.0),
        ("cut off", 10, 0.75),
    ]


def test_a_record_of_a_stage_that_was_well_has_no_field_for_illness() -> None:
    well = make_chain(base="cw", grpo="cc").stages[-1].training
    assert well is not None
    assert not {"signs", "stopped"} & json.loads(well.model_dump_json()).keys()
    ill = well.model_copy(update={"signs": findings(ILL), "stopped": STOP})
    assert StageResult.model_validate_json(ill.model_dump_json()) == ill


def test_the_live_view_keeps_what_a_stage_was_ill_of_below_what_it_does() -> None:
    view = LiveView(["sft", "grpo"])
    view.rows.see("grpo", {"event": "training", "step": 8, "steps": 40})
    view.rows.see("grpo", {"event": "ill", "step": 8, "text": "It is. Rest."})
    view.rows.see("grpo", {"event": "stopped", "step": 8, "steps": 40})
    view.rows.see("grpo", {"event": "evaluating", "what": "problems", "done": 1, "total": 2})
    assert view.rows.texts == {
        "sft": ["waiting"],
        "grpo": [
            "evaluating problems, 1 of 2",
            "ill since step 8: It is. Rest.",
            "stopped at step 8 of 40, with what it has",
        ],
    }
    notebook = NotebookView(["grpo"])
    notebook.rows.see("grpo", {"event": "ill", "step": 8, "text": "<b>"})
    assert "<td>waiting<br>ill since step 8: &lt;b&gt;</td>" in notebook.table()
    assert describe({"event": "ill", "step": 8, "text": "It is."}) == "ill since step 8: It is."
