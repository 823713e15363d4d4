"""How commands that report end: the page, the adapters and the next commands, for any names."""

from dataclasses import replace
from pathlib import Path

from stagelift.harness.commands.closing import closing_lines
from stagelift.reports.folders import RunFolder
from stagelift.reports.formats.scoreboard import LINES
from stagelift.reports.records import RunRecord
from tests.records import make_chain


def trained(*names: str) -> RunRecord:
    run = make_chain("demo", base="wc", **dict.fromkeys(names, "cc"))
    base, *stages = run.stages
    kept = [replace(stage, adapter=f"nodes/{stage.kind}-0/adapter") for stage in stages]
    return replace(run, stages=[base, *kept])


def test_the_page_each_adapter_and_the_next_commands_are_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "demo")
    folder.path.mkdir()
    folder.report("html").write_text("a page")
    lines = closing_lines(folder, trained("sft", "dpo"))
    assert lines == [
        f"Open: {tmp_path / 'demo' / 'report.html'}",
        f"Adapter of sft: {tmp_path / 'nodes' / 'sft-0' / 'adapter'}",
        f"Adapter of dpo: {tmp_path / 'nodes' / 'dpo-0' / 'adapter'}",
        f"All of it: stagelift report demo --full --runs {tmp_path}",
        f"As a gate: stagelift check demo --baseline EARLIER --runs {tmp_path}",
        f"For others: stagelift export demo DIR --format lm-eval --runs {tmp_path}",
    ]


def test_with_the_scoreboard_they_fit_a_screen() -> None:
    run = trained("sft", "dpo", "grpo", "kto")
    assert LINES + len(["", *closing_lines(RunFolder(Path("runs/demo")), run)]) <= 40


def test_without_a_page_it_is_said_how_to_make_one_and_runs_is_not_said_where_it_is_usual() -> None:
    first, *_, last = closing_lines(RunFolder(Path("runs/demo")), trained("sft"))
    assert first == "For a page: stagelift report demo --output report.html"
    assert "--runs" not in last


def test_of_many_adapters_the_last_are_named_and_the_others_counted() -> None:
    lines = closing_lines(RunFolder(Path("runs/demo")), trained("sft", "dpo", "grpo", "kto"))
    assert [line for line in lines if "dapter" in line] == [
        f"Adapter of grpo: {Path('runs/nodes/grpo-0/adapter')}",
        f"Adapter of kto: {Path('runs/nodes/kto-0/adapter')}",
        "2 more adapters: the page's provenance names them all.",
    ]


def test_what_was_only_measured_has_no_adapter_and_a_name_acts_on_nothing() -> None:
    run = make_chain("demo", base="wc")
    lines = closing_lines(RunFolder(Path("runs/de\x1b[31m mo")), run)
    assert not any("dapter" in line or "\x1b" in line for line in lines)
    assert "'de<U+001B>[31m mo'" in lines[0]
