"""No text of a plot lies on another one, however near the points are."""

from itertools import combinations
from xml.etree import ElementTree

import pytest

from stagelift.reports.plots import Plot, plots
from stagelift.reports.plots.canvas import text_width
from stagelift.reports.plots.scoreboard import scoreboard_pictures
from stagelift.reports.plots.spots import Box, around, free_spots
from stagelift.reports.plots.trajectory import trajectory_plot
from stagelift.reports.records import RunRecord
from stagelift.reports.report import Report, build_report
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import make_study
from tests.test_trajectory import measured, report_of


def near_each_other(variants: int) -> RunRecord:
    """Variants of like accuracy, length and cost."""
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 60)}
    chains = []
    for rank in range(variants):
        right = 20 + rank % 3
        stages[f"r={rank}/sft"] = ("base", "c" * right + "w" * (60 - right))
        chains.append((f"r={rank}", 0, {"base": "base", "sft": f"r={rank}/sft"}))
    return make_study(stages, chains, reference="r=0")


REPORTS = {
    "chain": golden_report(),
    "lattice": build_report([golden_lattice()]),
    "variants": build_report([golden_variants()]),
    "three that are near": build_report([near_each_other(3)]),
    "nine that are near": build_report([near_each_other(9)]),
}


def drawn(report: Report) -> list[Plot]:
    pictures = scoreboard_pictures(report)
    return [*plots(report), *([pictures.wide, pictures.narrow] if pictures else [])]


def on_each_other(plot: Plot) -> list[tuple[str, str]]:
    texts = [
        element
        for element in ElementTree.fromstring(plot.svg).iter()
        if element.tag.endswith("text") and (element.text or "").strip()
    ]
    boxes = [(text.text or "", extent(text)) for text in texts]
    return [
        (one, other)
        for (one, first), (other, second) in combinations(boxes, 2)
        if first.shared(second)
    ]


def extent(text: ElementTree.Element) -> Box:
    """Where the letters of a text are: `text_width` has a little to spare."""
    size = float(text.attrib["font-size"].removesuffix("px"))
    bold = text.get("font-weight", "400") != "400"
    width = text_width(text.text or "", size, bold=bold) / 1.05
    x, baseline = float(text.attrib["x"]), float(text.attrib["y"])
    left = x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.get("text-anchor", "start")] * width
    return Box(left, baseline - 0.72 * size, left + width, baseline)


@pytest.mark.parametrize("name", REPORTS)
def test_no_text_lies_on_another(name: str) -> None:
    for plot in drawn(REPORTS[name]):
        assert on_each_other(plot) == [], plot.name


def test_steps_that_are_near_are_not_written_over_each_other() -> None:
    record = measured(at_500=31, at_505=30, at_512=30, at_20=3, at_100=9)
    plot = trajectory_plot(report_of(record))
    assert plot is not None and on_each_other(plot) == []


def test_a_letter_stands_beside_its_point_and_clear_of_what_is_there() -> None:
    points = [(50.0, 50.0), (54.0, 52.0), (52.0, 47.0)]
    marks = [around(x, y, 10) for x, y in points]
    marks.append(Box(0, 49, 100, 51))
    spots = free_spots(points, ["A", "B", "C1"], marks)
    letters = [
        Box(x - 4 * n, y - 5, x + 4 * n, y + 5) for (x, y), n in zip(spots, (1, 1, 2), strict=True)
    ]
    assert not any(letter.shared(mark) for letter in letters for mark in marks)
    assert not any(one.shared(other) for one, other in combinations(letters, 2))


def test_a_point_alone_has_its_letter_to_the_right_and_above() -> None:
    ((x, y),) = free_spots([(50.0, 50.0)], ["A"], [around(50, 50, 8)])
    assert 50 < x < 62 and 50 < y < 62


def test_where_nothing_is_free_the_letter_stands_where_least_is() -> None:
    everywhere = Box(-100, -100, 200, 200)
    ((x, _),) = free_spots([(50.0, 50.0)], ["A"], [everywhere, Box(40, -100, 200, 200)])
    assert x < 40
