"""The scoreboard's picture, the front of accuracy and length, and the table beside them."""

from xml.etree import ElementTree

from stagelift.reports.plots import Plot, plots
from stagelift.reports.plots.multiples import KEYS, LOOKS, NARROW, WIDE
from stagelift.reports.plots.scoreboard import Pictures, scoreboard_pictures
from stagelift.reports.plots.style import VARIABLES
from stagelift.reports.plots.tradeoff import Traded, front
from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.models import model_table
from stagelift.reports.words.scoreboard import Reading, scoreboard
from tests.browser import hostile_report
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import chain, make_lattice


def texts(plot: Plot) -> list[str]:
    return [
        element.text or ""
        for element in ElementTree.fromstring(plot.svg).iter()
        if element.tag.endswith("}text")
    ]


def pictures(report: Report) -> Pictures:
    found = scoreboard_pictures(report)
    assert found is not None
    return found


def test_both_drawings_write_every_number_of_the_scoreboard() -> None:
    for report in (golden_report(), build_report([golden_lattice()])):
        board, found = scoreboard(report), pictures(report)
        numbers = [row.text for panel in board.panels for row in panel.rows]
        numbers += [row.text for forest in board.forests for row in forest.rows]
        for plot in (found.wide, found.narrow):
            assert not {*numbers} - {*texts(plot)}
            assert all(number in plot.alt for number in numbers)


def test_a_drawing_is_as_wide_as_the_page_it_is_for() -> None:
    found = pictures(golden_report())
    for plot, width in ((found.wide, WIDE), (found.narrow, NARROW)):
        box = ElementTree.fromstring(plot.svg).attrib["viewBox"].split()
        assert float(box[2]) == width
    assert len({found.wide.name, found.narrow.name}) == 2


def test_a_verdict_has_a_colour_and_a_mark_of_its_own() -> None:
    marks = [mark for look, (_, mark) in LOOKS.items() if look not in ("plain", "open")]
    assert len({*marks}) == len(marks) and len({*LOOKS.values()}) == len(LOOKS)
    svg = pictures(golden_report()).wide.svg
    assert f"var({VARIABLES[LOOKS['better'][0]]})" in svg
    assert f"var({VARIABLES[LOOKS['worse'][0]]})" in svg


def test_the_key_names_the_marks_that_are_there_and_no_others() -> None:
    shown = {*texts(pictures(golden_report()).wide)}
    assert {KEYS[look] for look in ("better", "worse", "moved", "open")} <= shown
    assert KEYS["plain"] not in shown
    same = build_report([chain([True, False] * 10, [True, False] * 10, (40, 40))])
    assert KEYS["worse"] not in texts(pictures(same).narrow)


def test_what_is_below_the_noise_floor_is_drawn_as_not_shown() -> None:
    shown = texts(pictures(build_report([golden_variants()])).wide)
    assert "-7.2 [-9.6, -4.8]" in shown and KEYS["open"] in shown
    assert KEYS["worse"] not in shown


def test_a_win_rate_that_is_accuracy_again_says_so_beside_its_picture() -> None:
    found = pictures(golden_report())
    assert {"accuracy and brevity again:", "the judge knows the targets"} <= {*texts(found.wide)}
    assert "accuracy and brevity again: the judge knows the targets" in texts(found.narrow)


def test_names_are_text_whatever_is_in_them() -> None:
    found = pictures(hostile_report())
    for plot in (found.wide, found.narrow):
        ElementTree.fromstring(plot.svg)
        assert "<script" not in plot.svg and plot.svg.count("</svg>") == 1


def test_drawing_twice_gives_the_same_bytes() -> None:
    assert pictures(golden_report()) == pictures(golden_report())


def test_the_front_has_those_that_none_beats_in_accuracy_and_length() -> None:
    def traded(label: str, accuracy: float, length: float) -> Traded:
        return Traded(label, Reading(accuracy, None, None, ""), Reading(length, None, None, ""))

    found = [traded("a", 0.5, 40), traded("b", 0.6, 60), traded("c", 0.5, 50), traded("d", 0.6, 60)]
    marked = front(found, more_is_better=True)
    # equal ones do not beat each other
    assert [one.label for one in marked if one.on_front] == ["a", "b", "d"]
    less = front(found, more_is_better=False)
    assert [one.label for one in less if one.on_front] == ["a"]


def test_accuracy_against_length_is_drawn_of_studies_only() -> None:
    assert "tradeoff" not in [plot.name for plot in plots(golden_report())]
    for study in (
        golden_variants(),
        golden_lattice(),
        make_lattice(base="ww", sft="cw", dpo="wc", both="cc"),
    ):
        (plot,) = [plot for plot in plots(build_report([study])) if plot.name == "tradeoff"]
        assert "On the Pareto front of the two: " in plot.alt


def test_the_model_table_has_a_line_for_each_model_and_each_reading_once() -> None:
    table = model_table(golden_report())
    titles = [column.title for column in table.columns]
    assert titles == ["accuracy, n=60", "win rate against base, n=60", "length, n=60"]
    (rows,) = table.groups
    assert [row.title for row in rows] == ["base", "sft", "dpo", "grpo"]
    accuracy, rate, length = rows[1].cells
    assert (accuracy.text, accuracy.interval) == ("70.0%", "[57.5, 80.1]")
    assert (accuracy.verdict, accuracy.word) == ("improved", "+66.7 [+51.0, +78.0] improved")
    assert (rate.text, rate.word) == ("83.3%", "improved")
    assert length.verdict == "not after Holm"
    assert [cell.text for cell in rows[0].cells] == ["3.3%", "–", "47.5"]


def test_the_model_table_of_variants_has_differences_to_the_reference() -> None:
    table = model_table(build_report([golden_variants()]))
    assert table.corner == "model"
    (rows,) = table.groups
    cells = {row.title: row.cells[0] for row in rows}
    assert cells["r=16/sft"].verdict is None
    assert cells["r=4/sft"].faint and cells["r=4/sft"].word.startswith("-7.2 [-9.6, -4.8]")
