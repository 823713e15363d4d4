"""Figures laid out in pixels: where panels stand, how wide texts are, and a forest's lines."""

import pytest

from stagelift.evals.records import Metric
from stagelift.reports.plots.canvas import add_panel, new_canvas, percent_axis, series, text_width
from stagelift.reports.plots.forest import Block, Estimate, Row, draw_forest
from stagelift.reports.plots.style import MARKERS, SERIES, WIDTH


def estimate(value: float, note: str = "") -> Estimate:
    return Estimate(Metric(value=value, low=value - 0.1, high=value + 0.1, n=40), 0, note)


def test_a_panel_stands_where_its_pixels_are_counted_from_the_top() -> None:
    canvas = new_canvas(200)
    panel = add_panel(canvas, left=100, top=50, width=200, height=100)
    box = panel.get_position()
    assert (box.x0 * WIDTH, box.width * WIDTH) == (pytest.approx(100), pytest.approx(200))
    assert ((1 - box.y1) * 200, box.height * 200) == (pytest.approx(50), pytest.approx(100))
    assert canvas.sheet.get_ylim() == (200, 0)


def test_an_axis_of_shares_has_room_at_both_ends() -> None:
    panel = add_panel(new_canvas(100), 0, 0, 100, 100)
    percent_axis(panel, "x", (0, 0.5, 1))
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0%", "50%", "100%"]
    low, high = panel.get_xlim()
    assert low < 0 and high > 1


def test_series_differ_in_marker_and_colour_and_begin_again_after_the_last() -> None:
    first = [series(position) for position in range(min(len(SERIES), len(MARKERS)))]
    assert len({colour for colour, _ in first}) == len({marker for _, marker in first})
    assert len(set(first)) == len(first)
    assert series(len(SERIES) * len(MARKERS)) == series(0)


def test_longer_larger_and_bolder_texts_are_wider() -> None:
    assert text_width("grpo", 12) < text_width("grpo and more", 12)
    assert text_width("grpo", 10) < text_width("grpo", 14)
    assert text_width("grpo", 12) < text_width("grpo", 12, bold=True)
    assert text_width("", 12) == 0
    # the font has no glyphs for these: two columns each
    assert text_width("漢漢", 12) >= 2 * 2 * 0.55 * 12


def test_a_forest_has_a_line_for_every_estimate_and_a_header_only_where_there_is_one() -> None:
    rows = [Row("sft", [estimate(0.5)]), Row("dpo", [estimate(0.6), estimate(0.7)])]
    plain, headed = Block("", rows), Block("held out", rows)
    assert headed.height == plain.height + headed.header_height
    assert Block("", rows[1:]).height > Block("", rows[:1]).height
    canvas = draw_forest([plain, headed], ["base", "sft"], "win rate", center=0.5)
    texts = [text.get_text() for text in canvas.sheet.texts]
    assert texts.count("sft") == 3 and texts.count("dpo") == 2 and texts.count("held out") == 1
    assert "win rate" in texts


def test_an_estimate_that_is_not_to_be_relied_on_is_hollow_and_says_why() -> None:
    rows = [Row("sft", [estimate(0.5), estimate(0.6, note="extrapolated")])]
    canvas = draw_forest([Block("", rows)], ["base"], "win rate")
    texts = " ".join(text.get_text() for text in canvas.sheet.texts)
    assert texts.count("extrapolated") == 1
    panel = canvas.figure.axes[1]
    markers = [line for line in panel.lines if line.get_marker() not in ("None", None, "")]
    colours = [(line.get_markerfacecolor(), line.get_color()) for line in markers]
    assert [face == colour for face, colour in colours] == [True, False]
