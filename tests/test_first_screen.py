"""The page's first screen in a real browser, at the widths of a desk, a laptop and a telephone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from benchmarks.html_report import make_report
from stagelift.reports.report import Report, build_report
from tests.browser import chromium, chromium_path, hostile_report, write_page
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.records import make_study

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        chromium_path() is None, reason="no chromium or google-chrome on this machine"
    ),
]

DESK, LAPTOP, TELEPHONE = (1400, 900), (1024, 768), (420, 900)
SCREENS = [DESK, LAPTOP, TELEPHONE]
# of every text that a reader sees in a drawing, as large as it is on the screen
SMALLEST_TEXT = """
() => Math.min(...[...document.querySelectorAll("svg text")].filter(text => text.checkVisibility())
  .map(text => parseFloat(text.getAttribute("font-size"))
    * text.ownerSVGElement.getBoundingClientRect().width
    / text.ownerSVGElement.viewBox.baseVal.width))
"""
OPEN_ALL = "document.querySelectorAll('details').forEach(fold => fold.open = true)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    reports: dict[str, Report] = {
        "chain": golden_report(),
        "lattice": build_report([golden_lattice()]),
        "variants": build_report([golden_variants()]),
        "four stages": make_report(60),
        "hostile": hostile_report(),
    }
    return {
        name: write_page(report, tmp_path_factory.mktemp("page"))
        for name, report in reports.items()
    }


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def opened(page: Page, file: Path, screen: tuple[int, int]) -> Page:
    page.set_viewport_size({"width": screen[0], "height": screen[1]})
    page.goto(file.as_uri())
    return page


def box(page: Page, selector: str) -> dict[str, float]:
    found = page.locator(selector).locator("visible=true").first.bounding_box()
    assert found is not None, selector
    return {**found, "bottom": found["y"] + found["height"], "right": found["x"] + found["width"]}


@pytest.mark.parametrize("screen", [DESK, LAPTOP], ids=str)
@pytest.mark.parametrize("name", ["chain", "lattice", "variants", "four stages"])
def test_lines_and_picture_are_on_the_first_screen(
    page: Page, pages: dict[str, Path], name: str, screen: tuple[int, int]
) -> None:
    opened(page, pages[name], screen)
    assert page.locator(".answer li").count() >= 2
    assert box(page, ".answer")["bottom"] < box(page, ".picture svg")["y"]
    assert box(page, ".picture svg")["bottom"] <= screen[1]


def test_a_telephone_shows_the_lines_and_the_first_numbers_of_the_picture(
    page: Page, pages: dict[str, Path]
) -> None:
    opened(page, pages["chain"], TELEPHONE)
    expect(page.locator(".picture .wide")).to_be_hidden()
    # half of the first screen at the least is the picture
    assert box(page, ".picture svg")["y"] < TELEPHONE[1] / 2
    numbers = page.locator(".picture .narrow text", has_text="70.0%")
    assert (numbers.bounding_box() or {"y": 9999})["y"] < TELEPHONE[1]


@pytest.mark.parametrize("screen", SCREENS, ids=str)
def test_nothing_is_wider_than_the_screen_whatever_is_opened(
    page: Page, pages: dict[str, Path], screen: tuple[int, int]
) -> None:
    for file in pages.values():
        opened(page, file, screen)
        assert box(page, "#headline table")["right"] <= screen[0]
        cells = page.evaluate(
            "Math.max(...[...document.querySelectorAll('#headline td')].map(cell => "
            "cell.getBoundingClientRect().right))"
        )
        assert cells <= screen[0]
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") == screen[0], file


@pytest.mark.parametrize("screen", [*SCREENS, (760, 900), (360, 740)], ids=str)
def test_every_number_of_every_drawing_can_be_read(
    page: Page, pages: dict[str, Path], screen: tuple[int, int]
) -> None:
    for name in ("chain", "variants"):
        opened(page, pages[name], screen)
        page.evaluate(OPEN_ALL)
        # the drawing for the smallest screens may be a little smaller there
        assert page.evaluate(SMALLEST_TEXT) >= (11 if screen[0] >= 400 else 9.5)


def test_all_else_is_folded_and_a_link_opens_it(page: Page, pages: dict[str, Path]) -> None:
    opened(page, pages["chain"], DESK)
    assert page.locator("details[open]").count() == 0
    expect(page.locator("#gains table")).to_be_hidden()
    page.get_by_role("link", name="Gains").click()
    expect(page.locator("#gains table")).to_be_in_viewport()
    assert page.locator("details[open]").count() == 1
    targets = page.locator("nav a").evaluate_all("links => links.map(link => link.hash.slice(1))")
    for target in targets:
        page.goto("about:blank")
        page.goto(f"{pages['chain'].as_uri()}#{target}")
        expect(page.locator(f"#{target}")).to_be_in_viewport()


def test_a_link_to_filtered_problems_opens_the_explorer(page: Page, pages: dict[str, Path]) -> None:
    page.goto(f"{pages['chain'].as_uri()}#problems&change=fixed&change-at=sft")
    expect(page.locator(".row > summary").first).to_be_visible()
    expect(page.locator("#count")).to_have_text("41 of 60 problems")


def test_a_part_opens_and_closes_by_keyboard(page: Page, pages: dict[str, Path]) -> None:
    opened(page, pages["chain"], DESK)
    page.locator(".fold > summary", has_text="Provenance").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#provenance dl").first).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#provenance dl").first).to_be_hidden()


def test_provenance_comes_last(page: Page, pages: dict[str, Path]) -> None:
    opened(page, pages["chain"], DESK)
    assert page.locator("main section").last.get_attribute("id") == "provenance"


def test_paper_shows_what_is_folded_and_the_wide_picture(
    page: Page, pages: dict[str, Path]
) -> None:
    opened(page, pages["chain"], TELEPHONE)
    page.emulate_media(media="print")
    for shown in ("#provenance dl", "#gains table", "#plot-accuracy svg", ".picture .wide"):
        expect(page.locator(shown).first).to_be_visible()
    expect(page.locator(".picture .narrow")).to_be_hidden()


def test_a_screen_reader_hears_the_picture_once_with_all_numbers(
    page: Page, pages: dict[str, Path]
) -> None:
    for screen in (DESK, TELEPHONE):
        opened(page, pages["chain"], screen)
        pictures = page.get_by_role("img", name="Scoreboard")
        assert pictures.count() == 1
        told = pictures.locator("desc").text_content()
        assert told is not None and "sft +66.7 [+51.0, +78.0] improved" in told


def test_the_headline_table_is_a_table_also_where_it_is_stacked(
    page: Page, pages: dict[str, Path]
) -> None:
    for screen in (DESK, TELEPHONE):
        opened(page, pages["chain"], screen)
        table = page.locator("#headline").get_by_role("table")
        assert table.get_by_role("row").count() >= 4
        assert table.get_by_role("rowheader").all_inner_texts() == ["base", "sft", "dpo", "grpo"]
    cell = page.locator("#headline td").first
    label = cell.evaluate("cell => getComputedStyle(cell, '::before').content")
    assert label == '"accuracy, n=60"'


def test_a_study_of_many_lines_has_what_it_found_above_the_picture_and_the_others_below(
    page: Page, tmp_path: Path
) -> None:
    names = ("r=4", "r=8", "r=16", "r=32", "r=64")
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "w" * 40)}
    stages |= {f"{name}/sft": ("base", "c" * 20 + "w" * 20) for name in names}
    chains = [(name, 0, {"base": "base", "sft": f"{name}/sft"}) for name in names]
    file = write_page(build_report([make_study(stages, chains, reference="r=4")]), tmp_path)
    for screen in (DESK, LAPTOP):
        opened(page, file, screen)
        first, rest = page.locator(".answer").all()
        expect(first).to_contain_text("the data cannot tell the variants apart")
        assert first.locator("li").count() == 1 and rest.locator("li").count() >= 5
        assert box(page, ".picture svg")["y"] < screen[1] / 3
