"""Plots as files: named by what they show, equal to the byte, in colours of paper, fonts inside."""

import hashlib
import os
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stagelift.reports.plots.figures import FigureFile, figure_files
from stagelift.reports.plots.style import VARIABLES
from stagelift.reports.report import build_report
from tests.golden_report import golden_report, golden_variants

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def files() -> list[FigureFile]:
    return figure_files(golden_report())


def streams(pdf: bytes) -> bytes:
    """Return what the drawing of a PDF says."""
    found = re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    return b"".join(zlib.decompress(part) for part in found if part[:1] == b"x")


def test_each_plot_is_there_twice_under_a_name_that_says_what_it_shows(
    files: list[FigureFile],
) -> None:
    names = [file.name for file in files]
    assert names[:6] == [
        "scoreboard.svg",
        "scoreboard.pdf",
        "accuracy-by-stage.svg",
        "accuracy-by-stage.pdf",
        "where-accuracy-came-from.svg",
        "where-accuracy-came-from.pdf",
    ]
    assert len({*names}) == len(names) and "training-curves.pdf" in names


def test_no_figure_is_in_colours_that_stand_for_those_of_a_page() -> None:
    stand_ins = {color.lower() for color in VARIABLES}
    for report in (golden_report(), build_report([golden_variants()])):
        for file in figure_files(report):
            if file.name.endswith(".svg"):
                seen = {
                    color.lower() for color in re.findall(r"#[0-9a-f]{6}", file.content.decode())
                }
                assert not seen & stand_ins, file.name
            else:
                # 1/255 to 7/255: what stands for a page's colours, as a PDF writes it
                drawn = streams(file.content).decode("latin-1")
                assert not re.search(r"\b0\.0039\d* 0\.0039\d* 0\.0039\d* (rg|RG)", drawn), (
                    file.name
                )
                assert not re.search(r"\b0\.0274\d* 0\.0274\d* 0\.0\d+ (rg|RG)", drawn), file.name


def test_letters_are_outlines_in_an_svg_and_fonts_are_inside_a_pdf(files: list[FigureFile]) -> None:
    for file in files:
        if file.name.endswith(".svg"):
            tags = {element.tag for element in ElementTree.fromstring(file.content).iter()}
            assert not any(tag.endswith("}text") for tag in tags), file.name
        else:
            assert file.content.startswith(b"%PDF-") and b"/FontFile2" in file.content
            assert b"CreationDate" not in file.content


def test_figures_are_the_same_bytes_in_another_process(files: list[FigureFile]) -> None:
    code = (
        "import hashlib; from tests.golden_report import golden_report; "
        "from stagelift.reports.plots.figures import figure_files; "
        "print(*(hashlib.sha256(f.content).hexdigest() for f in figure_files(golden_report())))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "17", "TZ": "Asia/Tokyo"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [hashlib.sha256(file.content).hexdigest() for file in files]


def test_the_page_is_drawn_the_same_before_and_after_its_figures(files: list[FigureFile]) -> None:
    report = golden_report()
    again = figure_files(report)
    assert [file.content for file in again] == [file.content for file in files]
