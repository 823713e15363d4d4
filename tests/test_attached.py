"""Verdicts that were given elsewhere, on imported responses."""

import json
from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.judges.attached import Attached, Judged, attach_verdicts
from stagelift.evals.judges.judge import Response
from stagelift.evals.judges.judging import SAME, Answered
from stagelift.evals.records import Role


def answered(**texts: str) -> dict[str, Answered]:
    return {one: Answered(f"prompt {one}", Response(text=text)) for one, text in texts.items()}


BASE = answered(a="one", b="two", c="same")
SFT = answered(a="ONE", b="TWO", c="same")
STAGES = [Judged("base", BASE, {}), Judged("sft", SFT, {"base": BASE})]


def row(prompt: str, first: str, second: str, preference: Any, **more: Any) -> dict[str, Any]:
    named = {"prompt": f"prompt {prompt}", "response_1": first, "response_2": second}
    return {**named, "preference": preference, **more}


def attach(rows: list[dict[str, Any]], folder: Path) -> Attached:
    (folder / "v.json").write_text(json.dumps(rows))
    return attach_verdicts([folder / "v.json"], STAGES)


def scores(attached: Attached) -> dict[tuple[str, Role], float | None]:
    return {(one.id, one.against): one.score for own in attached.verdicts for one in own}


def test_both_orders_are_one_verdict_and_equal_responses_a_tie(tmp_path: Path) -> None:
    rows = [
        row("a", "ONE", "one", 1),
        row("a", " one\n", "ONE", 1.5),
        row("b", "two", "TWO", 1),
    ]
    attached = attach(rows, tmp_path)
    assert attached.verdicts[0] == []
    a, b, c = attached.verdicts[1]
    assert (a.score, a.orders) == (0.75, (1, 0.5))
    assert (b.score, b.orders) == (0, None)
    assert (c.score, c.reason) == (0.5, SAME)
    assert attached.notes == [] and attached.judge.startswith("verdicts-1:")


def test_a_prompt_may_be_named_by_its_id(tmp_path: Path) -> None:
    rows = [row("a", "ONE", "one", 1, id="a") | {"prompt": None}]
    assert scores(attach(rows, tmp_path)) == {("a", "base"): 1}


def test_a_part_of_the_pairs_is_said_and_has_no_ties_added(tmp_path: Path) -> None:
    attached = attach([row("a", "ONE", "one", 1), row("a", "old", "one", 2)], tmp_path)
    assert scores(attached) == {("a", "base"): 1}
    assert "verdicts on 1 of its 2 pairs against base" in attached.notes[0]
    assert "1 of 2 verdicts of v.json are left out" in attached.notes[1]


def test_a_pair_without_a_verdict_stays_without(tmp_path: Path) -> None:
    rows = [row("a", "ONE", "one", 1), row("b", "TWO", "two", None)]
    assert scores(attach(rows, tmp_path)) == {
        ("a", "base"): 1,
        ("b", "base"): None,
        ("c", "base"): 0.5,
    }


def annotation(prompt: str, theirs: str, mine: str, preference: float) -> dict[str, Any]:
    return {
        "instruction": f"prompt {prompt}",
        "output_1": theirs,
        "output_2": mine,
        "generator_1": "gpt",
        "generator_2": "sft-model",
        "annotator": "judge",
        "preference": preference,
    }


def test_alpaca_evals_annotations_are_against_their_reference(tmp_path: Path) -> None:
    """Also where the reference happened to answer what a stage did."""
    rows = [
        annotation("a", "long", "ONE", 2),
        annotation("b", "two", "TWO", 1.25),
        annotation("c", "x", "same", 1),
    ]
    attached = attach(rows, tmp_path)
    assert (attached.judge, attached.reference) == ("judge", "gpt")
    assert {one.id: one.score for one in attached.verdicts[1]} == {"a": 1, "b": 0.25, "c": 0}
    # the response to c is base's, too
    assert [one.id for one in attached.verdicts[0]] == ["c"]
    assert attached.verdicts[1][0].length_difference == len("ONE") - len("long")


def test_verdicts_between_named_stages_are_against_no_reference(tmp_path: Path) -> None:
    rows = [row("a", "ONE", "one", 1, generator_1="sft", generator_2="base")]
    attached = attach(rows, tmp_path)
    assert attached.reference is None and scores(attached) == {("a", "base"): 1}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([row("a", "ONE", "old", 1)], "1 are on its prompts, but on other responses"),
        ([row("z", "ONE", "one", 1)], "their prompts are others"),
        ([], "holds no verdicts"),
        ([["a"]], "row 1 is no verdict"),
        ([row("a", "ONE", "one", 3)], "preference 3 is none"),
    ],
)
def test_a_file_of_which_nothing_fits_is_refused(
    rows: list[Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=words):
        attach(rows, tmp_path)


def test_verdicts_by_ids_that_were_replaced_say_so(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(
        json.dumps([row("a", "ONE", "one", 1, id="7") | {"prompt": None}])
    )
    with pytest.raises(ValueError, match="the ids of the files were replaced"):
        attach_verdicts([tmp_path / "v.json"], STAGES, ids_replaced=True)
