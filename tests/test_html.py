import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.printed import safe_text
from stagelift.evals.records import Role, Verdict
from stagelift.reports.formats.explorer import problems
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.page import LARGEST, TEMPLATES
from stagelift.reports.records import StageRecord
from stagelift.reports.report import Report, build_report
from tests.browser import HOSTILE, hostile_report, one_score, one_stage
from tests.records import CONTRACT, chain, make_chain, make_run, make_score, make_stage

VOID = {"meta", "link", "br", "input", "img", "hr"}
ROOT = Path(__file__).resolve().parent.parent


class Elements(HTMLParser):
    """Start tags with their attributes, script and style texts, and what was closed out of
    order.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.raw: list[tuple[str, dict[str, str | None], str]] = []
        self.open: list[str] = []
        self.unbalanced: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.raw.append((tag, dict(attrs), ""))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("script", "style"):
            tag, attributes, text = self.raw[-1]
            self.raw[-1] = (tag, attributes, text + data)


def data_blocks(html: str) -> dict[str, Any]:
    raw = Elements(html).raw
    return {
        str(a["id"]): json.loads(text) for _, a, text in raw if a.get("type") == "application/json"
    }


def simple_report() -> Report:
    return build_report([chain([False, True, False, True], [True, True, False, False])])


def large_report(text: str) -> Report:
    ids = [f"p/{number}" for number in range(11)]
    stages = [
        one_stage(name, [one_score(one, "wrong") for one in ids], dict.fromkeys(ids, text))
        for name in ("base", "sft")
    ]
    return build_report([make_run(stages)])


@pytest.mark.real
def test_a_page_is_the_same_to_the_byte_every_time() -> None:
    code = (
        "from tests.test_html import *; page = render_html(hostile_report()).html; "
        "print(hashlib.sha256(page.encode()).hexdigest())"
    )
    expected = hashlib.sha256(render_html(hostile_report()).html.encode()).hexdigest()
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        ran = subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout.strip() == expected


def test_the_policy_comes_first_and_allows_the_pages_own_script_and_style_only() -> None:
    elements = Elements(render_html(simple_report()).html)
    head = [tag for tag, _ in elements.tags].index("head")
    tag, attributes = elements.tags[head + 1]
    assert tag == "meta" and attributes["http-equiv"] == "Content-Security-Policy"
    executed = {tag: text for tag, a, text in elements.raw if "type" not in a}
    hashes = {
        tag: "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for tag, text in executed.items()
    }
    assert attributes["content"] == (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; img-src "
        "data:; base-uri 'none'; form-action 'none'"
    )


@pytest.mark.parametrize("make_report", [simple_report, hostile_report])
def test_nothing_in_a_page_is_styled_handled_or_fetched_by_an_attribute(
    make_report: Callable[[], Report],
) -> None:
    elements = Elements(render_html(make_report()).html)
    for tag, attributes in elements.tags:
        assert not any(name == "style" or name.startswith("on") for name in attributes), (
            tag,
            attributes,
        )
        assert not {"src", "srcset", "action", "formaction", "data", "poster", "background"} & set(
            attributes
        )
        for name in ("href", "xlink:href"):
            assert re.match(r"#|data:,$", attributes.get(name) or "#"), (tag, attributes)
    assert [tag for tag, _ in elements.tags].count("script") == [
        tag for tag, _, _ in elements.raw
    ].count("script")
    assert not {"iframe", "img", "base", "object", "embed"} & {tag for tag, _ in elements.tags}


@pytest.mark.parametrize("make_report", [simple_report, hostile_report])
def test_every_element_is_closed_where_it_should_be(make_report: Callable[[], Report]) -> None:
    elements = Elements(render_html(make_report()).html)
    assert (elements.unbalanced, elements.open) == ([], [])
    ids = [attributes["id"] for _, attributes in elements.tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_the_script_builds_elements_and_never_markup() -> None:
    for name in ("page.js", "report.js", "problems.js", "vote.js"):
        script = (TEMPLATES / name).read_text()
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", script
        )


def test_hostile_texts_come_back_from_the_data_as_they_were() -> None:
    blocks = data_blocks(render_html(hostile_report()).html)
    safe = [safe_text(text) for text in HOSTILE]
    assert blocks["index"]["questions"] == safe
    assert blocks["index"]["targets"] == safe
    assert [row[0][0] for row in blocks["responses-0"]] == safe
    assert [row[1][3][0][3] for row in blocks["responses-0"]] == safe


def test_a_page_over_the_limit_in_bytes_needs_a_second_file() -> None:
    # as many characters as would still do
    report = large_report("é" * (LARGEST // 40))
    with pytest.raises(ValueError, match=r"22 MB.*more than 20 MB.*`--output FILE`"):
        render_html(report)
    page = render_html(report, "report-responses.js")
    assert page.responses is not None and len(page.html.encode()) < 1_000_000
    assert "'strict-dynamic'" in page.html
    blocks = data_blocks(page.html)
    assert set(blocks) == {"index", "responses"}
    assert blocks["responses"]["file"] == "report-responses.js"
    assert blocks["responses"]["key"] in page.responses


def test_a_page_within_the_limit_has_no_second_file_though_one_is_named() -> None:
    page = render_html(simple_report(), "report-responses.js")
    assert page.responses is None
    assert "strict-dynamic" not in page.html and "report-responses.js" not in page.html


def test_the_second_file_is_calls_with_strings_that_hold_the_chunks() -> None:
    report = hostile_report(padding="x" * (LARGEST // 4))
    found, page = problems(report), render_html(report, "r.js")
    assert page.responses is not None
    lines = page.responses.splitlines()
    assert len(lines) == len(found.chunks) == 1
    start, end = f'stageliftResponses("{found.key}", 0, \'', "');"
    text = lines[0].removeprefix(start).removesuffix(end)
    assert lines[0] == start + text + end and "<" not in text
    # no quote or backslash but in a pair
    characters = re.findall(r"[^'\\]+|\\['\\]", text)
    assert "".join(characters) == text
    assert "".join(part.removeprefix("\\") for part in characters) == found.chunks[0]


def test_results_without_responses_say_that_there_is_nothing_to_open() -> None:
    bare = replace(make_stage("base", [make_score("p/0", True)]), scores=[], generations={})
    said = "There is nothing to open: no problem of these results has its question and responses."
    assert said in render_html(build_report([make_run([bare])])).html
    assert said not in render_html(build_report([make_chain(base="wc")])).html


def test_what_was_not_measured_is_null_and_never_zero() -> None:
    scores = [one_score("a", None, tokens=None).model_copy(update={"n_chars": None})]
    index = problems(build_report([make_run([one_stage("base", scores, {"a": "Hello."})])])).index
    assert index["lengths"] == [[None]]
    assert index["targets"] == [None]
    assert index["outcomes"] == ["n"]


def test_lengths_are_in_characters_where_tokens_are_not_known_everywhere() -> None:
    scores = [one_score("a", "correct", tokens=7), one_score("b", "wrong", tokens=None)]
    index = problems(
        build_report([make_run([one_stage("base", scores, {"a": "x", "b": "x"})])])
    ).index
    assert (index["unit"], index["lengths"]) == ("characters", [[160, 160]])


def test_a_reading_that_was_not_done_is_not_one_that_found_nothing() -> None:
    score = one_score("a", "wrong").model_copy(
        update={"correct_strict": None, "answer_flexible": None}
    )
    found = problems(build_report([make_run([one_stage("base", [score], {"a": "x"})])]))
    (((_, _, answers, _, _),),) = json.loads(found.chunks[0])
    assert answers == {"answer": "5", "flexible": None}


def test_a_problem_that_a_stage_was_not_asked_is_told_apart() -> None:
    first = make_stage("base", [make_score("a", True), make_score("b", True)])
    second = make_stage("base", [make_score("b", False), make_score("c", True)], run="other")
    found = problems(build_report([make_run([first]), make_run([second], "other")]))
    assert found.index["ids"] == ["a", "b", "c"]
    assert found.index["outcomes"] == ["cc-", "-wc"]
    assert [[one is None for one in row] for row in json.loads(found.chunks[0])] == [
        [False, True],
        [False, False],
        [True, False],
    ]


def test_of_several_samples_the_first_is_shown_and_all_are_counted() -> None:
    scores = [make_score("a", sample == 2, sample=sample) for sample in range(3)]
    found = problems(build_report([make_run([make_stage("base", scores)])]))
    (((_, _, _, _, samples),),) = json.loads(found.chunks[0])
    assert (found.index["outcomes"], samples) == (["w"], [3, 1, 0])


def test_the_first_trained_stages_verdicts_against_previous_and_base_are_shown_once() -> None:
    def judged(roles: tuple[Role, ...]) -> dict[Role, dict[str, Verdict]]:
        return {role: {"a": Verdict(id="a", against=role, score=0.0, reason="r")} for role in roles}

    scores, text = [make_score("a", True)], {"a": "x"}
    both = judged(("base", "previous"))
    stages = [
        one_stage("base", scores, text),
        *(one_stage(name, scores, text, both) for name in ("sft", "dpo")),
    ]
    assert problems(build_report([make_run(stages)])).index["verdicts"] == [
        {},
        {"base": "l"},
        {"sft": "l", "base": "l"},
    ]


def test_only_filters_that_can_find_something_are_shown() -> None:
    def fields(report: Report) -> set[str]:
        return {
            str(a["name"])
            for tag, a in Elements(render_html(report).html).tags
            if tag in ("select", "input")
        }

    text = {"a": "x", "b": "x"}
    unscored = one_stage("base", [one_score("a", None)], text)
    two_groups = one_stage(
        "base", [one_score("a", "wrong"), one_score("b", None, group="preference")], text
    )
    search = {"text", "responses"}
    contract: dict[str, object] = {**CONTRACT, "imported": "responses"}
    evaluation = unscored.evaluation.model_copy(update={"contract": contract})
    imported = StageRecord(**{**unscored.__dict__, "evaluation": evaluation})
    assert fields(build_report([make_run([imported], contract=contract)])) == search
    assert fields(build_report([make_run([two_groups])])) == {*search, "group", "outcome"}
    chained = {"change", "change-at", "outcome", "outcome-at", "verdict", "verdict-at"}
    assert fields(simple_report()) == {*search, *chained}


def test_both_themes_are_readable() -> None:
    """WCAG AA: text 4.5 to 1 on the page and on panels; also series, since plots write in their
    colours.
    """
    css = (TEMPLATES / "report.css").read_text()
    themes = [
        dict(re.findall(r"--([\w-]+): (#\w{6})", block))
        for block in re.findall(r"\{([^{}]*--ink:[^{}]*)\}", css)
    ]
    light, dark, dark_by_choice = themes
    assert dark == dark_by_choice and light.keys() == dark.keys()
    for theme in (light, dark):
        for name in theme.keys() - {"paper", "panel", "line", "grid"}:
            for ground in ("paper", "panel"):
                assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
