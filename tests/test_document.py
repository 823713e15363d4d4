"""report.json keeps its names, and the published schema tells them."""

import json
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from stagelift.evals.records import GoldAgreement, Metric, Usage
from stagelift.reports.formats.document import report_document
from stagelift.reports.report import Report, build_report
from tests.golden_report import golden_report
from tests.records import make_chain, make_lattice, make_study, with_passport

SCHEMA: dict[str, Any] = json.loads(
    files("stagelift.reports").joinpath("report.schema.json").read_text(encoding="utf-8")
)


def reports() -> Iterator[Report]:
    yield golden_report()
    yield build_report([make_chain(base="cw")])
    yield build_report(
        [make_chain("one", base="cw", sft="cc"), make_chain("two", base="cw", sft="wc")]
    )
    found = build_report([make_chain(base="w" * 9, sft="c" * 9)])
    rate = Metric(value=0.5, low=0.4, high=0.6, n=9)
    gold = GoldAgreement(
        pairs="gold",
        agreement=rate,
        kappa=rate,
        control=rate,
        advantage=rate,
        failures=0,
        position_consistency=None,
    )
    usage = Usage(requests=3, cached=1, prompt_tokens=9, completion_tokens=2, cost_usd=None)
    yield with_passport(found, gold=gold, usage=usage, fit=False)
    yield build_report([make_lattice(base="wwww", sft="ccww", dpo="cwww", both="cccc")])
    stages: dict[str, tuple[str | None, str]] = {"base": (None, "wwww")}
    chains = []
    for variant, seed, letters in (
        ("a", 0, "ccww"),
        ("a", 1, "cwww"),
        ("b", 0, "cccc"),
        ("b", 1, "wccw"),
    ):
        stages[f"{variant},seed={seed}/sft"] = ("base", letters)
        chains.append((variant, seed, {"base": "base", "sft": f"{variant},seed={seed}/sft"}))
    yield build_report([make_study(stages, chains, reference="a")])


def strict(schema: Any) -> Any:
    """Let no object have names that the schema does not tell."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: strict(value) for name, value in schema.items()}
    return (
        {**closed, "additionalProperties": False}
        if isinstance(schema.get("properties"), dict)
        else closed
    )


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "report",
    list(reports()),
    ids=["chain", "one stage", "two runs", "whole passport", "lattice", "variants and seeds"],
)
def test_every_report_follows_the_schema_and_has_no_name_it_does_not_tell(report: Report) -> None:
    document = json.loads(json.dumps(report_document(report)))
    Draft202012Validator(strict(SCHEMA)).validate(document)


@pytest.mark.parametrize(
    "name", ["stages", "comparisons", "gains", "flips", "attribution", "noise", "summary"]
)
def test_a_name_that_is_missing_is_found(name: str) -> None:
    document = report_document(golden_report())
    del document[name]
    with pytest.raises(ValidationError):
        Draft202012Validator(SCHEMA).validate(document)


def test_tools_may_meet_names_that_are_added_later() -> None:
    Draft202012Validator(SCHEMA).validate(
        {**json.loads(json.dumps(report_document(golden_report()))), "new": 1}
    )
