"""What is wider than the page scrolls in a box of its own, and the box shows that there is more."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page

from stagelift.reports.report import build_report
from tests.browser import chromium, chromium_path, write_page
from tests.golden_report import golden_report, golden_variants

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        chromium_path() is None, reason="no chromium or google-chrome on this machine"
    ),
]

OPEN_ALL = "document.querySelectorAll('details').forEach(fold => fold.open = true)"
# a box is looked at without what is in it
EMPTY = (
    "for (const box of document.querySelectorAll('.scroll > *')) box.style.visibility = 'hidden'"
)
IS_WIDER = "box => box.scrollWidth > box.clientWidth"
SCREENS = [1400, 1024, 420]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    reports = (golden_report(), build_report([golden_variants()]))
    return [write_page(report, tmp_path_factory.mktemp("page")) for report in reports]


def opened(browser: Browser, file: Path, width: int, theme: Literal["light", "dark"]) -> Page:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=theme)
    page.goto(file.as_uri())
    page.evaluate(OPEN_ALL)
    return page


def shades(box: Locator) -> tuple[float, float]:
    """How far the colours of its left and right edge are from that of its middle."""
    seen = np.asarray(Image.open(io.BytesIO(box.screenshot())).convert("L"), float)
    row = seen[seen.shape[0] // 2]
    middle = row[len(row) // 2]
    return abs(row[1] - middle), abs(row[-2] - middle)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", SCREENS)
def test_a_shadow_stands_where_a_table_or_plot_goes_on(
    browser: Browser, files: list[Path], width: int, theme: Literal["light", "dark"]
) -> None:
    for file in files:
        page = opened(browser, file, width, theme)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.evaluate(EMPTY)
        for box in page.locator(".scroll").all():
            left, right = shades(box)
            assert left < 6
            assert (right > 25) == box.evaluate(IS_WIDER)
            if box.evaluate(IS_WIDER):
                box.evaluate("box => box.scrollTo(box.scrollWidth, 0)")
                left, right = shades(box)
                assert left > 25 and right < 6
        page.close()


def test_the_tables_of_a_telephone_are_wider_and_their_names_stay(
    browser: Browser, files: list[Path]
) -> None:
    page = opened(browser, files[1], 420, "light")
    box = page.locator("#study .scroll").first
    assert box.evaluate(IS_WIDER)
    box.evaluate("box => box.scrollTo(300, 0)")
    name = box.locator("tbody th").first.bounding_box()
    assert name is not None and 0 <= name["x"] < 30 and name["width"] < 140
    page.close()
