"""Markdown leads with the answer, has the picture beside it, and folds the rest away."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import cmarkgfm
import pytest
from cmarkgfm.cmark import Options

from stagelift.evals.metrics.measures import measure
from stagelift.harness.outputs import write_report
from stagelift.reports.formats.document import render_json
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown, render_markdown_summary
from stagelift.reports.formats.names import Format
from stagelift.reports.formats.page import TEMPLATES
from stagelift.reports.plots.scoreboard import scoreboard_pictures
from stagelift.reports.plots.standalone import standalone_svg
from stagelift.reports.plots.style import DARK, PRINTED, VARIABLES
from stagelift.reports.report import Report, build_report
from stagelift.reports.tables.models import model_table
from stagelift.reports.words.stage_lines import stage_lines
from tests.browser import hostile_report
from tests.golden_report import golden_lattice, golden_report, golden_variants
from tests.inert import assert_markdown
from tests.records import chain, make_chain, make_run, make_score, make_stage

PICTURE = re.compile(r"!\[(?P<alt>[^\n]*)\]\((?P<link>[^\n]*)\)\n\n")
REPORTS = {
    "chain": golden_report(),
    "variants": build_report([golden_variants()]),
    "lattice": build_report([golden_lattice()]),
    "one model": build_report([make_run([make_stage("base", [make_score("p/0", correct=True)])])]),
    "two runs": build_report([make_chain(name, base="w" * 9, sft="c" * 9) for name in "ab"]),
    "hostile": hostile_report(),
}


@pytest.fixture(params=REPORTS)
def report(request: pytest.FixtureRequest) -> Report:
    return REPORTS[request.param]


def without_picture(text: str) -> str:
    return PICTURE.sub("", text, count=1)


def picture(report: Report) -> str:
    found = scoreboard_pictures(report)
    assert found is not None
    return standalone_svg(found.wide)


class _Folds(HTMLParser):
    """The titles of folds that stand in no other, and how deep each summary lies."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.depth, self.said = 0, ""
        self.titles: list[str] = []
        self.feed(cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE))

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "details"
        self.said = "" if tag == "summary" else self.said

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "details"
        assert self.depth >= 0
        if tag == "summary" and self.depth == 1:
            self.titles.append(self.said)

    def handle_data(self, data: str) -> None:
        self.said += data


def test_the_answer_comes_first_in_the_order_of_the_page() -> None:
    text = render_markdown(golden_report(), "golden.svg")
    answer, _, folded = text.partition("<details>")
    lines = [line for line in answer.splitlines() if line.startswith("- **")]
    assert len(lines) == len(stage_lines(golden_report()))
    assert lines[0].startswith("- **sft**: accuracy 3.3% → 70.0%, +66.7 ")
    assert answer.index(lines[-1]) < answer.index("](golden.svg)") < answer.index("| stage |")
    page = render_html(golden_report()).html
    titles = _Folds(text).titles
    places = [page.index(f'-title">{title}</h2>') for title in titles if title[:4] != "What"]
    assert places == sorted(places) and titles[-1] == "Provenance"
    assert "sft improved accuracy" not in answer and "sft improved accuracy" in folded


def test_every_fold_is_closed_and_has_a_title(report: Report) -> None:
    for text in (render_markdown(report), render_markdown_summary(report)):
        found = _Folds(text)
        assert found.depth == 0 and all(found.titles) and len({*found.titles}) > 0
        outside = re.sub(r"(?s)^(`{3,})text\n.*?\n\1$", "", text, flags=re.MULTILINE)
        for tag in ("details", "summary"):
            assert outside.count(f"<{tag}>") == outside.count(f"</{tag}>") > 0


def test_the_link_leads_to_the_picture_beside_the_file(report: Report, tmp_path: Path) -> None:
    for name in ("report.md", "two words (1) #2 %41.md", "ünï.MD", "plain"):
        text, drawn = write_report(report, Format.markdown, tmp_path / name)
        found = PICTURE.search(text.read_text("utf-8"))
        assert found is not None
        assert tmp_path / unquote(found["link"]) == drawn
        assert drawn.stem == text.stem and drawn.suffix == ".svg"
        read = cmarkgfm.github_flavored_markdown_to_html(found[0])
        assert read.startswith(f'<p><img src="{found["link"]}" alt="Scoreboard: ')
        assert without_picture(text.read_text("utf-8")) == render_markdown(report)


def test_where_nothing_can_be_drawn_there_is_no_picture_and_no_link(tmp_path: Path) -> None:
    stage = make_stage("base", [make_score("p/0", correct=True)])
    contract = {**stage.evaluation.contract, "scorers": ["mine"]}
    empty = stage.evaluation.model_copy(update={"metrics": {}, "contract": contract})
    nothing = build_report([make_run([replace(stage, evaluation=empty)], contract=contract)])
    assert write_report(nothing, Format.markdown, tmp_path / "a.md") == [tmp_path / "a.md"]
    assert "![" not in (tmp_path / "a.md").read_text("utf-8")


def test_a_summary_for_a_comment_has_no_picture(tmp_path: Path) -> None:
    output = tmp_path / "comment.md"
    written = write_report(golden_report(), Format.markdown, output, summary=True)
    assert written == [output] == list(tmp_path.iterdir())
    assert "![" not in output.read_text("utf-8")


def test_the_first_table_has_the_headline_metrics_and_the_numbers_of_the_document() -> None:
    made = build_report([chain([False] * 30, [True] * 20 + [False] * 10, (40, 30))])
    document = json.loads(render_json(made))
    heading, _, *rows = re.findall(r"^\|.*\|$", render_markdown(made), re.MULTILINE)[:4]
    titles = [title.strip().split(",")[0] for title in heading.strip("|").split("|")]
    assert titles == ["stage", "accuracy", "win rate against base", "length"]
    metrics = [None, "accuracy", "win_rate_base", "length_tokens"]
    assert all(name is None or measure(name).headline for name in metrics)
    for row, stage in zip(rows, document["stages"], strict=True):
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[0] == f"**{stage['name']}**"
        for name, cell in zip(metrics[1:], cells[1:], strict=True):
            known = stage["metrics"].get(name)
            if known is None:
                assert cell == "–"
                continue
            is_share = measure(str(name)).unit == "share"
            shown = [
                100 * known[end] if is_share else known[end] for end in ("value", "low", "high")
            ]
            numbers = re.findall(r"-?\d+\.\d", cell)[:3]
            assert numbers == [f"{end:.1f}" for end in shown]


def test_every_format_has_one_headline_table(report: Report) -> None:
    table = model_table(report)
    for text in (render_markdown(report), render_markdown_summary(report)):
        heading = next(line for line in text.splitlines() if line.startswith("| "))
        assert heading.count("|") == len(table.columns) + 2
        assert heading.startswith(f"| {table.corner} |")


def test_no_name_acts_in_the_text_or_in_the_picture() -> None:
    made = hostile_report()
    assert_markdown(render_markdown(made, "x.svg"), links=("x.svg",))
    root = ElementTree.fromstring(picture(made))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a", "iframe"}
    for element in root.iter():
        for name, value in element.items():
            assert not name.lower().startswith("on") and "://" not in value
            assert not name.endswith("href") or value.startswith("#")
    (style,) = [element for element in root.iter() if element.tag.endswith("}style")]
    assert style.text == next(
        one.text for one in ElementTree.fromstring(picture(golden_report())) if "style" in one.tag
    )


def test_a_picture_needs_nothing_of_a_page(report: Report) -> None:
    svg = picture(report)
    found = scoreboard_pictures(report)
    assert found is not None
    root = ElementTree.fromstring(svg)
    values = {value for element in root.iter() for value in element.attrib.values()}
    assert not [value for value in values if "var(" in value]
    assert "family" in " ".join(root.attrib) and svg.endswith("</svg>\n")
    for words in (found.wide.alt, found.wide.title):
        assert words in [element.text for element in root]
    paper = next(element for element in root if element.tag.endswith("}rect"))
    assert paper.get("fill") == PRINTED["#040404"]
    assert [paper.get(side) for side in ("width", "height")] == root.attrib["viewBox"].split()[2:]


def test_a_name_that_is_written_like_a_colour_stays_as_it_is() -> None:
    made = build_report([make_chain("demo", base="w" * 9, **{"var(--ink)": "c" * 9})])
    words = [element.text for element in ElementTree.fromstring(picture(made)).iter()]
    assert "var(--ink)" in words


def test_a_dark_screen_has_the_colours_of_the_dark_page() -> None:
    css = (TEMPLATES / "report.css").read_text("utf-8")
    _, dark, _ = [
        dict(re.findall(r"(--[\w-]+): (#\w{6})", block))
        for block in re.findall(r"\{([^{}]*--ink:[^{}]*)\}", css)
    ]
    assert {VARIABLES[color]: shown for color, shown in DARK.items()} == {
        name: dark[name] for name in VARIABLES.values()
    }
    # a rule goes by the light colour: two that are one there must be one here
    assert len({*zip(PRINTED.values(), DARK.values(), strict=True)}) == len({*PRINTED.values()})
    svg = picture(golden_report())
    assert f'[fill="{PRINTED["#010101"]}"] {{ fill: {DARK["#010101"]} }}' in svg


def test_drawing_twice_gives_the_same_bytes(report: Report) -> None:
    assert picture(report) == picture(report)
