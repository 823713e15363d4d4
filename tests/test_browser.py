"""The HTML report in a real browser: nothing a model wrote ever runs, and the explorer does what it
says.
"""

import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from benchmarks.html_report import make_report
from stagelift.evals.records import Outcome, Verdict
from stagelift.reports.formats.page import LARGEST
from stagelift.reports.report import Report, build_report
from tests.browser import (
    HOSTILE,
    chromium,
    chromium_path,
    hostile_report,
    one_score,
    one_stage,
    write_page,
)
from tests.records import make_run

pytestmark = [
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        chromium_path() is None, reason="no chromium or google-chrome on this machine"
    ),
]

SIDE_FILE = "report-responses.js"
ATTACKS = len(HOSTILE)


@dataclass
class Seen:
    """What a page did that a report must not: dialogs, errors, policy violations, requests."""

    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def benign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(benign_report(), tmp_path_factory.mktemp("benign"))


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(hostile_report(), tmp_path_factory.mktemp("hostile"))


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile page with its responses in a file beside it."""
    folder = tmp_path_factory.mktemp("beside")
    page = write_page(hostile_report(padding="x" * (LARGEST // 4)), folder, SIDE_FILE)
    assert (folder / SIDE_FILE).exists()
    return page


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with 50 test problems."""
    return write_page(benign_report(50), tmp_path_factory.mktemp("small"))


def benign_report(size: int = 250) -> Report:
    """250 test problems, of which sft fixes each third and breaks p/0; three unscored prompts that
    it wins.
    """
    ids = [f"p/{number}" for number in range(size)]
    base: list[Outcome] = ["correct" if number == 0 else "wrong" for number in range(size)]
    sft: list[Outcome] = [
        "correct" if number % 3 == 1 else "truncated" if number == 3 else "wrong"
        for number in range(size)
    ]
    prompts = [
        one_score(f"i/{number}", None, "Write a poem.", "preference", tokens=9)
        for number in range(3)
    ]
    texts = {one: f"I think {one} is four." for one in [*ids, *(prompt.id for prompt in prompts)]}
    won = {
        prompt.id: Verdict(id=prompt.id, against="base", score=1.0, reason="nicer")
        for prompt in prompts
    }
    stages = [
        one_stage(
            "base",
            [*(one_score(i, o, tokens=60) for i, o in zip(ids, base, strict=True)), *prompts],
            texts,
        ),
        one_stage(
            "sft",
            [*(one_score(i, o, tokens=42) for i, o in zip(ids, sft, strict=True)), *prompts],
            {**texts, ids[-10]: "A needle in the HAYSTACK"},
            {"base": won},
        ),
    ]
    return build_report([make_run(stages)])


@contextmanager
def opened(browser: Browser, address: str) -> Iterator[tuple[Page, Seen]]:
    """Open a page in a fresh profile and write down all it does."""
    seen = Seen()

    def dismiss(dialog: Dialog) -> None:
        seen.dialogs.append(dialog.message)
        dialog.dismiss()

    context = browser.new_context()
    page = context.new_page()
    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on(
        "console",
        lambda message: seen.errors.extend(
            [message.text] if message.type in ("error", "warning") else []
        ),
    )
    page.on("request", lambda request: seen.requests.append(request.url))
    page.add_init_script(
        "document.addEventListener('securitypolicyviolation', e => console.error('violation ' + "
        "e.violatedDirective))"
    )
    page.goto(address)
    page.evaluate("document.getElementById('problems').closest('details').open = true")
    yield page, seen
    context.close()


def assert_tame(page: Page, seen: Seen, *files: Path) -> None:
    assert page.evaluate("window.hacked") is None
    assert (seen.dialogs, seen.errors) == ([], [])
    assert [request.partition("#")[0] for request in seen.requests] == [
        file.as_uri() for file in files
    ]


def count(page: Page, expected: str) -> None:
    """Wait until the live count says what is expected."""
    expect(page.locator("#count")).to_have_text(expected)


def test_a_page_asks_for_nothing_and_violates_no_policy(browser: Browser, small: Path) -> None:
    with opened(browser, small.as_uri()) as (page, seen):
        count(page, "53 of 53 problems")
        page.locator(".row > summary").first.click()
        page.locator(".card").first.wait_for()
        assert_tame(page, seen, small)


def test_a_small_page_filters_and_searches(browser: Browser, small: Path) -> None:
    with opened(browser, small.as_uri()) as (page, _):
        page.get_by_label("Change", exact=True).select_option("fixed")
        count(page, "17 of 53 problems")
        page.get_by_role("button", name="Clear filters").click()
        page.get_by_label("also in responses").check()
        page.get_by_label("Search").fill("haystack")
        count(page, "1 of 53 problems")
        assert page.locator(".row").count() == 1


@pytest.mark.real
def test_ten_thousand_problems_open_filter_and_search(browser: Browser, tmp_path: Path) -> None:
    page_file = write_page(make_report(10_000), tmp_path, SIDE_FILE)
    assert (tmp_path / SIDE_FILE).exists()
    with opened(browser, page_file.as_uri()) as (page, seen):
        count(page, "10,000 of 10,000 problems")
        assert page.locator(".row").count() == 100
        page.locator(".row > summary").first.click()
        expect(page.locator(".card")).to_have_count(4)
        page.get_by_label("Search").fill("gsm8k/test/77:")
        count(page, "1 of 10,000 problems")
        assert_tame(page, seen, page_file, tmp_path / SIDE_FILE)


def test_nothing_hostile_runs_when_it_is_shown_or_searched(browser: Browser, hostile: Path) -> None:
    with opened(browser, hostile.as_uri()) as (page, seen):
        open_all_and_search(page)
        assert_tame(page, seen, hostile)


@pytest.mark.real
def test_nothing_hostile_runs_from_a_second_file(browser: Browser, beside: Path) -> None:
    with opened(browser, beside.as_uri()) as (page, seen):
        open_all_and_search(page)
        assert_tame(page, seen, beside, beside.parent / SIDE_FILE)


def open_all_and_search(page: Page) -> None:
    count(page, f"{ATTACKS} of {ATTACKS} problems")
    # the last one may be very long
    for number in range(ATTACKS - 1):
        page.locator(".row > summary").nth(number).click()
    expect(page.locator(".card")).to_have_count(4 * (ATTACKS - 1))
    page.locator(".response").first.hover()
    assert page.locator(".row").first.locator(".response").count() == 4
    assert page.locator(".row").first.locator(".response").first.text_content() is not None
    page.get_by_label("also in responses").check()
    page.get_by_label("Search").fill("<script>")
    count(page, f"{sum('<script>' in text for text in HOSTILE)} of {ATTACKS} problems")
    assert page.locator(".row mark").first.text_content() == "<script>"


@pytest.mark.real
@pytest.mark.parametrize(
    ("attack", "text"),
    [
        ("change=fixed&change-at=__proto__&verdict=won&verdict-at=nowhere", ""),
        (
            "text=%3Cimg%20src%3Dx%20onerror%3Dwindow.hacked%3D1%3E&group=%00",
            "<img src=x onerror=window.hacked=1>",
        ),
        (
            "text=%E0%A4%A&responses=maybe&outcome-at=&outcome=<script>window.hacked=1</script>&=&&&",
            "\ufffd%A",
        ),
        ("text=" + "x" * 10_000, "x" * 500),
    ],
    ids=["names", "markup", "bad escapes", "long"],
)
def test_a_hostile_link_does_nothing(
    browser: Browser, benign: Path, attack: str, text: str
) -> None:
    with opened(browser, f"{benign.as_uri()}#problems&{attack}") as (page, seen):
        expect(page.locator("#count")).to_contain_text(" of 253 problems")
        assert page.get_by_label("Search").input_value() == text
        assert_tame(page, seen, benign)


@pytest.mark.real
def test_filters_find_what_changed_and_a_link_restores_them(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        page.get_by_label("Change", exact=True).select_option("fixed")
        count(page, "83 of 253 problems")
        page.get_by_label("Change", exact=True).select_option("broken")
        count(page, "1 of 253 problems")
        expect(page.locator(".row .about")).to_have_text("p/0 test")
        address = page.url
        page.get_by_role("button", name="Clear filters").click()
        count(page, "253 of 253 problems")
        assert page.url.endswith("#problems")
        page.locator("select[name=outcome]").select_option("truncated")
        count(page, "1 of 253 problems")
    with opened(browser, address) as (page, _):
        count(page, "1 of 253 problems")
        assert page.get_by_label("Change", exact=True).input_value() == "broken"
        page.get_by_role("link", name="83 fixed").click()
        count(page, "83 of 253 problems")


@pytest.mark.real
def test_unscored_prompts_show_and_filter_by_the_judges_verdict(
    browser: Browser, benign: Path
) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        page.get_by_label("Group").select_option("preference")
        count(page, "3 of 253 problems")
        expect(page.locator(".row").first.locator(".path .chip").nth(1)).to_contain_text("won")
        page.get_by_label("Judge's verdict").select_option("lost")
        count(page, "0 of 253 problems")
        page.get_by_label("Judge's verdict").select_option("won")
        count(page, "3 of 253 problems")


@pytest.mark.real
def test_search_finds_words_of_responses_when_asked_to(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        page.get_by_label("Search").fill("haystack")
        count(page, "0 of 253 problems")
        page.get_by_label("also in responses").check()
        count(page, "1 of 253 problems")
        page.locator(".row > summary").click()
        assert page.locator(".response mark").inner_text() == "HAYSTACK"
        page.get_by_label("Search").fill("poem")
        count(page, "3 of 253 problems")


@pytest.mark.real
def test_a_row_opens_by_keyboard_and_shows_every_stage(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        count(page, "253 of 253 problems")
        page.locator("#rows").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        cards = page.locator(".row").first.locator(".card")
        cards.nth(1).wait_for()
        assert cards.count() == 2
        text = cards.nth(1).inner_text()
        assert "✗ wrong broken" in " ".join(text.split())
        assert "42 tokens (−18)" in text and "by itself" in text and "I think p/0 is four." in text
        assert "the same text as base" in text
        # into the cards, which scroll on their own
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "cards"


@pytest.mark.real
def test_rows_are_added_by_scrolling_and_by_a_button(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        count(page, "253 of 253 problems")
        assert page.locator(".row").count() == 100
        page.locator("#rows").evaluate("rows => rows.scrollTop = rows.scrollHeight")
        expect(page.locator(".row")).to_have_count(200)
        page.evaluate("document.getElementById('more').click()")
        assert page.locator(".row").count() == 253
        assert page.evaluate("document.activeElement.parentElement.dataset.problem") == "200"
        assert page.locator("#more").is_hidden()


@pytest.mark.real
def test_the_theme_is_remembered(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        button = page.locator("#theme")
        assert button.inner_text() == "Theme: auto"
        button.click()
        button.click()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.reload()
        assert page.locator("#theme").inner_text() == "Theme: dark"
        page.locator("#theme").click()
        assert page.evaluate("document.documentElement.dataset.theme") is None


@pytest.mark.real
def test_a_second_file_works_from_a_server(browser: Browser, beside: Path) -> None:
    with (
        served(beside.parent) as address,
        opened(browser, f"{address}/{beside.name}") as (page, seen),
    ):
        page.locator(".row > summary").first.click()
        page.locator(".card").first.wait_for()
        assert seen.errors == []
        assert seen.requests == [f"{address}/{beside.name}", f"{address}/{SIDE_FILE}"]


@pytest.mark.real
@pytest.mark.parametrize(
    ("break_file", "message"),
    [
        (
            Path.unlink,
            f"The responses are in the file {SIDE_FILE}, which must lie beside this page. It could "
            "not be read.",
        ),
        (
            lambda file: file.write_text("stageliftResponses('of another', 0, '[]');"),
            f"The file {SIDE_FILE} beside this page belongs to another report.",
        ),
    ],
    ids=["missing", "of another report"],
)
def test_a_second_file_that_is_not_there_is_asked_for(
    browser: Browser,
    beside: Path,
    tmp_path: Path,
    break_file: Callable[[Path], object],
    message: str,
) -> None:
    for file in beside.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    break_file(tmp_path / SIDE_FILE)
    with opened(browser, (tmp_path / beside.name).as_uri()) as (page, _):
        page.locator(".row > summary").first.click()
        error = page.locator(".row .error")
        error.wait_for()
        assert error.inner_text().startswith(message)
        page.get_by_label("also in responses").check()
        page.get_by_label("Search").fill("iframe")
        page.locator("#problems-error").wait_for()
        count(page, f"1 of {ATTACKS} problems")
        (tmp_path / SIDE_FILE).write_bytes((beside.parent / SIDE_FILE).read_bytes())
        # put back, the next try finds it
        page.locator(".row > summary").first.click()
        page.locator(".card").first.wait_for()


@pytest.mark.real
def test_without_javascript_all_but_the_list_can_be_read(browser: Browser, benign: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(benign.as_uri())
    expect(page.locator("#headline table")).to_be_visible()
    page.get_by_text("Problem by problem").click()
    expect(page.locator("noscript p")).to_be_visible()
    page.get_by_text("How to read this").last.click()
    expect(page.locator("#notes li").first).to_be_visible()
    for hidden in ("#filters", "#rows", "#theme"):
        expect(page.locator(hidden)).to_be_hidden()
    context.close()


@pytest.mark.real
def test_paper_is_light_and_shows_no_controls(browser: Browser, benign: Path) -> None:
    with opened(browser, benign.as_uri()) as (page, _):
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator(".row").nth(99)).to_be_visible()
        for hidden in ("#filters", "#more", "#theme", "nav"):
            expect(page.locator(hidden)).to_be_hidden()
        assert (
            page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--paper')")
            == "#fdfdfb"
        )


@pytest.mark.real
def test_nothing_is_wider_than_a_narrow_screen(
    browser: Browser, benign: Path, hostile: Path
) -> None:
    for file in (benign, hostile):
        with opened(browser, file.as_uri()) as (page, _):
            page.set_viewport_size({"width": 400, "height": 800})
            page.locator(".row > summary").first.click()
            page.locator(".card").first.wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") == 400


@contextmanager
def served(folder: Path) -> Iterator[str]:
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
