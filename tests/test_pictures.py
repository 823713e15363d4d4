"""README's pictures show the run that its numbers are of, act in nobody's browser, and are drawn by
the code.
"""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.documents import README, ROOT, links
from tests.pictures import PICTURES, gate, scoreboard
from tests.test_documented_commands import ran, response

STORED = Path(__file__).parent / "data" / "earlier" / "stored"
DRAWN = sorted(PICTURES.glob("*.svg"))


def words(svg: str) -> list[str]:
    # a terminal is drawn with spaces that do not break
    texts = [element.text or "" for element in ElementTree.fromstring(svg).iter()]
    return [text.replace("\xa0", " ") for text in texts]


def assert_inert(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert not tags & {"script", "foreignObject", "image", "a", "iframe"}
    assert "://" not in svg.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "@import" not in svg and "@font-face" not in svg


@pytest.mark.parametrize("picture", DRAWN, ids=lambda file: file.name)
def test_a_picture_is_shown_in_readme_and_fetches_nothing(picture: Path) -> None:
    assert picture.relative_to(ROOT).as_posix() in links(README)
    assert_inert(picture.read_text("utf-8"))


def test_the_table_and_the_picture_of_readme_are_of_one_run() -> None:
    rows = re.findall(
        r"^\| (?:base|sft|dpo|grpo) \| .*%.*$", README.read_text("utf-8"), re.MULTILINE
    )
    drawn = words((PICTURES / "quickstart.svg").read_text("utf-8"))
    for row in rows:
        name, value, added, _ = [cell.strip() for cell in row.strip("|").split("|")]
        assert {name, value, *([added] if added else [])} <= {*drawn}, row
    assert len(rows) == 4


@pytest.mark.parametrize("name", ["gate", "ranks"])
def test_what_readme_says_of_a_picture_is_in_it(name: str) -> None:
    (alt,) = re.findall(rf"!\[(.*)\]\(docs/pictures/{name}\.svg\)", README.read_text("utf-8"))
    drawn = " ".join(words((PICTURES / f"{name}.svg").read_text("utf-8")))
    numbers = re.findall(r"[+-]?\d+\.\d%?", alt)
    assert len(numbers) >= 5 and all(number in drawn for number in numbers)


def test_the_code_draws_them(tmp_path: Path) -> None:
    for stage, right in (("dpo", 60), ("grpo", 100)):
        rows = "".join(f"{response(place, place < right)}\n" for place in range(200))
        (tmp_path / f"{stage}.jsonl").write_text(rows)
    files = [f"{stage}={tmp_path / stage}.jsonl" for stage in ("dpo", "grpo")]
    ran(["import", *files, "--name", "quickstart", "--runs", str(tmp_path / "runs")])
    svg = gate(tmp_path / "runs", tmp_path / "baselines")
    assert_inert(svg)
    assert "regressed on accuracy (-20.0" in " ".join(words(svg))
    assert "1" in [text.strip() for text in words(svg)]
    assert_inert(scoreboard(STORED, "chain"))
