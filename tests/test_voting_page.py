"""The voting page in a real browser: keys vote, a reload goes on, the file has what was said."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from stagelift.evals.votes.draw import ShownPair
from stagelift.evals.votes.exported import read_exported
from stagelift.reports.formats.voting import render_voting
from tests.browser import HOSTILE, chromium, chromium_path
from tests.votes import ballot

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(
        chromium_path() is None, reason="no chromium or google-chrome on this machine"
    ),
]

PAIRS = [ShownPair(f"Prompt {n}", f"the left one {n}", f"the right one {n}") for n in range(5)]
ATTACKS = [
    ShownPair(text, text, f"{text}{HOSTILE[place - 1]}") for place, text in enumerate(HOSTILE)
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh profile, in which any request but for the page itself fails the test."""
    made = browser.new_context()
    asked: list[str] = []
    made.on("request", lambda request: asked.append(request.url))
    yield made
    made.close()
    assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return written(tmp_path, PAIRS)


def written(folder: Path, pairs: list[ShownPair]) -> Path:
    path = folder / "vote.html"
    path.write_text(render_voting(pairs, 3), encoding="utf-8")
    return path


def opened(context: BrowserContext, file: Path) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(file.as_uri())
    return page


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def downloaded(page: Page, folder: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Export votes").click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def choices(path: Path) -> list[str]:
    return [vote.choice for vote in read_exported(path).votes]


def test_keys_vote_a_reload_goes_on_and_the_file_has_every_vote(
    context: BrowserContext, file: Path, tmp_path: Path
) -> None:
    page = opened(context, file)
    expect(page.locator("#count")).to_have_text("Pair 1 of 5")
    expect(page.locator("#left")).to_have_text("the left one 0")
    press(page, "1", "2", "u", "0", "ArrowRight")
    expect(page.locator("#count")).to_have_text("Pair 4 of 5")
    page.reload()
    expect(page.locator("#count")).to_have_text("Pair 4 of 5")
    expect(page.locator("#right")).to_have_text("the right one 3")
    press(page, "ArrowLeft")
    page.get_by_role("button", name="Left is better").click()
    expect(page.locator("#done")).to_be_visible()
    expect(page.locator("#pair")).to_be_hidden()
    press(page, "2", "2")
    path = downloaded(page, tmp_path)
    found = read_exported(path)
    assert choices(path) == ["left", "tie", "right", "left", "left"]
    asked = ballot(file.read_text())
    assert [vote.pair for vote in found.votes] == [pair[0] for pair in asked["pairs"]]
    assert (found.page, found.seed) == (asked["page"], 3)
    assert [vote.pair for vote in found.votes] == [pair.name for pair in PAIRS]


def test_a_file_is_gone_on_from_elsewhere_and_what_is_none_is_refused(
    browser: Browser, context: BrowserContext, file: Path, tmp_path: Path
) -> None:
    page = opened(context, file)
    press(page, "1", "0")
    path = downloaded(page, tmp_path)
    elsewhere = browser.new_context().new_page()
    elsewhere.goto(file.as_uri())
    good: dict[str, Any] = json.loads(path.read_text())
    for content, says in (
        ("{", "That is no file of votes"),
        (json.dumps(good | {"page": "0" * 64}), "votes on another page"),
        (json.dumps(good | {"votes": good["votes"][::-1]}), "changed after it was exported"),
        (json.dumps(good | {"voter": "<b>"}), "changed after it was exported"),
        (json.dumps(good | {"votes": [None, 1]}), "changed after it was exported"),
    ):
        bad = {"name": "x.json", "mimeType": "application/json", "buffer": content.encode()}
        elsewhere.locator("#import").set_input_files(bad)
        expect(elsewhere.get_by_role("alert")).to_contain_text(says)
        expect(elsewhere.locator("#count")).to_have_text("Pair 1 of 5")
    elsewhere.locator("#import").set_input_files(path)
    expect(elsewhere.locator("#count")).to_have_text("Pair 3 of 5")
    press(elsewhere, "2")
    again = downloaded(elsewhere, tmp_path)
    assert choices(again) == ["left", "tie", "right"]
    assert read_exported(again).voter == good["voter"]
    elsewhere.context.close()


def test_another_voter_starts_at_the_first_pair_with_another_name(
    context: BrowserContext, file: Path, tmp_path: Path
) -> None:
    page = opened(context, file)
    press(page, "1")
    first = read_exported(downloaded(page, tmp_path)).voter
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Another voter").click()
    expect(page.locator("#count")).to_have_text("Pair 1 of 5")
    press(page, "2")
    assert read_exported(downloaded(page, tmp_path)).voter != first


def test_two_tabs_of_one_page_hold_the_same_votes(context: BrowserContext, file: Path) -> None:
    one, other = opened(context, file), opened(context, file)
    press(one, "1", "1")
    expect(other.locator("#count")).to_have_text("Pair 3 of 5")


def test_votes_on_another_page_are_apart(
    context: BrowserContext, file: Path, tmp_path: Path
) -> None:
    press(opened(context, file), "1")
    (tmp_path / "other").mkdir()
    page = opened(context, written(tmp_path / "other", PAIRS[:3]))
    expect(page.locator("#count")).to_have_text("Pair 1 of 3")


def test_what_models_wrote_is_shown_as_text_and_never_runs(
    context: BrowserContext, tmp_path: Path
) -> None:
    large = ShownPair("large", "<b>" * 4_000_000, "\u202e" + "x" * 10_000_000)
    page = opened(context, written(tmp_path, [*ATTACKS, large]))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    for attack in ATTACKS:
        shown = page.locator("#left").inner_text()
        assert "script" in shown or "script" not in attack.left
        press(page, "0")
    expect(page.locator("#left")).to_contain_text("11,900,000 more characters are not shown.")
    assert "\u202e" not in page.locator("#right").inner_text()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#pair img, #pair script, #pair a, #pair b").count() == 0


@pytest.mark.parametrize("width", [1400, 1024, 420])
def test_nothing_is_wider_than_the_window_at_any_width(
    context: BrowserContext, tmp_path: Path, width: int
) -> None:
    long = ShownPair("a" * 400, "b" * 3000, "word " * 900)
    page = opened(context, written(tmp_path, [long, *PAIRS]))
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.get_by_role("button", name="Left is better")).to_be_in_viewport()
