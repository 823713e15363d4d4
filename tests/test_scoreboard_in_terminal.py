"""The scoreboard as a terminal shows it: what a screen holds, in any width and encoding."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import StringIO

import pytest
from rich.cells import cell_len

from stagelift.reports.formats.console import Console
from stagelift.reports.formats.scoreboard import LINES, print_scoreboard
from stagelift.reports.report import Report, build_report
from tests.golden_report import golden_lattice, golden_report, golden_variants, screen
from tests.records import make_chain, make_study, with_passport


def wide_study(variants: int = 14) -> Report:
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 60)}
    chains = []
    for rank in range(variants):
        name = f"r={rank},lora_alpha={2 * rank}"
        stages[f"{name}/sft"] = ("base", "c" * (20 + rank) + "w" * (40 - rank))
        chains.append((name, 0, {"base": "base", "sft": f"{name}/sft"}))
    return build_report([make_study(stages, chains, reference="r=0,lora_alpha=0")])


def long_names() -> Report:
    names = ("base", "学習" * 10, "dpo" * 12, "学習" * 10 + "x")
    stages = dict(zip(names, ("wc" * 10, "c" * 20, "wc" * 10, "c" * 20), strict=True))
    return build_report([make_chain("実験" * 8, **stages)])


REPORTS: list[Callable[[], Report]] = [
    golden_report,
    lambda: build_report([golden_lattice()]),
    lambda: build_report([golden_variants()]),
    wide_study,
    long_names,
    lambda: build_report([make_chain(base="wc" * 10)]),
]


@cache
def made(make: Callable[[], Report]) -> Report:
    return make()


@pytest.mark.parametrize("make", REPORTS)
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252"])
@pytest.mark.parametrize("width", [20, 30, 60, 80, 120, 160])
def test_it_fits_the_screen(make: Callable[[], Report], width: int, encoding: str) -> None:
    lines = screen(made(make), width, encoding).splitlines()
    assert len(lines) <= LINES
    # an escape of what the encoding lacks is wider than that
    assert max(cell_len(line) for line in lines if "\\u" not in line) <= width


def test_the_answer_comes_first_and_bars_have_their_numbers_beside_them() -> None:
    shown = screen(golden_report(), 80)
    assert shown.startswith("sft: accuracy 3.3% -> 70.0%, +66.7 [+51.0, +78.0] improved;")
    for numbers in (
        "70.0% [57.5, 80.1]",
        "+23.3 [+10.4, +34.8]  improved †",
        "+13.3 [+3.4, +22.4]",
    ):
        assert numbers in shown


def test_an_interval_stands_where_its_axis_says() -> None:
    *_, line = (line for line in screen(golden_report(), 120).splitlines() if "-48.3 [" in line)
    bar = line[len("whole chain  ") : line.index("-48.3")]
    low, value, high, zero = (bar.index(mark) for mark in "├●┤┊")
    assert low == 0 and low < value < high < zero


def test_without_the_characters_bars_are_drawn_in_ascii() -> None:
    shown = screen(build_report([golden_variants()]), 80, "ascii")
    assert "|---o---|" in shown and shown.isascii()
    marked = screen(golden_report(), 80, "ascii")
    assert "improved *" in marked and "*: not of the headline." in marked
    assert "~ added to length, tokens; 1 more metric: --full" in marked and marked.isascii()


def test_in_a_few_columns_numbers_are_whole_and_stand_below_their_names() -> None:
    shown = screen(golden_report(), 20)
    said = " ".join(shown.split())
    assert "sft: accuracy 3.3% -> 70.0%, +66.7 [+51.0, +78.0] improved" in said
    assert "base: 3.3% [0.9, 11.4]" in said and "base: 47.5 [42.5, 56.5]" in said
    assert "3 more rows; added to accuracy, points" in said


def test_a_screen_without_room_for_anything_says_how_much_there_is() -> None:
    out = StringIO()
    print_scoreboard(golden_report(), Console(file=out, width=20), 4)
    lines = out.getvalue().splitlines()
    assert len(lines) == 4 and lines[-1].startswith("… ") and lines[-1].endswith(" more: --full")


def test_what_does_not_fit_is_said_to_be_elsewhere() -> None:
    shown = screen(wide_study(), 80)
    assert "r=13,lora_alpha=26/sft" in shown and "r=2,lora_alpha=4/sft" not in shown
    assert shown.endswith(
        "… 13 more rows; length beside the reference, tokens; 1 more metric: --full\n"
    )
    assert "accuracy beside the reference" in shown
    assert "--full" not in screen(build_report([golden_variants()]), 80)
    # a block that has no room is named, too
    *_, last = screen(golden_report(), 80).splitlines()
    assert last == "… added to length, tokens; 1 more metric: --full"


def test_names_are_cut_by_their_width_and_stay_apart() -> None:
    lines = screen(long_names(), 80).splitlines()
    first = [line.split("  ")[0] for line in lines if "[50.0" not in line and "…" in line]
    assert len({name for name in first if ":" not in name}) == 3


def test_a_wide_terminal_has_names_whole_and_no_interval_is_broken() -> None:
    first = make_chain("first-run", base="w" * 40, sft="c" * 40)
    report = build_report([first, make_chain("second-run", base="wc" * 20)])
    assert "second-run/base beside first-run/base" in screen(report, 120)
    for width in (60, 80, 120):
        for made_of in (report, golden_report(), wide_study()):
            lines = screen(made_of, width).splitlines()
            assert not [line for line in lines if line.rfind("[") > line.rfind("]")]


def test_metrics_that_have_no_room_are_counted_once() -> None:
    *_, last = screen(golden_report(), 80).splitlines()
    assert last.count("more metric") == 1


def test_an_unfit_judge_is_said_beside_the_win_rate() -> None:
    shown = screen(with_passport(golden_report(), fit=False), 80)
    assert "win rate: judge not fit to decide: no verdict" in shown


def test_a_stage_that_trained_ill_is_named() -> None:
    run = make_chain(base="wc" * 10, sft="wc" * 10)
    history = [{"step": step, "loss": float("nan")} for step in range(1, 9)]
    sft = run.stages[1]
    assert sft.training is not None
    ill = replace(sft, training=sft.training.model_copy(update={"history": history}))
    shown = screen(build_report([replace(run, stages=[run.stages[0], ill])]), 80)
    assert "Signs of illness while training: sft (--full)" in shown


def test_nothing_hostile_in_a_name_acts() -> None:
    report = build_report([make_chain("demo", **{"base": "wc" * 10, "s\x1b[31m\nft": "c" * 20})])
    shown = screen(report, 80)
    assert "\x1b" not in shown and "<U+001B>" in shown
