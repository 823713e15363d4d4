"""A check's answer for people and machines: terminal, Markdown, JSON, JUnit for a test tab, and
GitHub's annotations.
"""

import json
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from stagelift.reports.gates.check import Check, NotComparableError
from stagelift.reports.gates.gate import Gate
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.words import formatting
from stagelift.reports.words.escaping import inline, table_line

Answer = Check | NotComparableError
_SYMBOLS = {
    "improved": "✓",
    "non-inferior": "✓",
    "identical": "=",
    "regressed": "✗",
    "inconclusive": "?",
}
_COLUMNS = (
    "metric",
    "baseline",
    "candidate",
    "difference",
    "one-sided 95% bounds",
    "margin",
    "outcome",
)


def headline(answer: Answer) -> str:
    """Say the answer in a sentence."""
    if isinstance(answer, NotComparableError):
        return str(answer)
    sides = f"{_name(answer.candidate)} against {_name(answer.baseline)}"
    missing = (
        f" {answer.missing} problems were left out, as only one side has them."
        if answer.missing
        else ""
    )
    return f"{sides}: {answer.outcome}.{missing}"


def remark(gate: Gate) -> str:
    """Say what a gate's outcome means where its word alone does not."""
    if gate.outcome == "regressed":
        return "worse, and more than the margin cannot be excluded"
    if gate.outcome == "inconclusive":
        open_still = "neither a fall by the margin nor none can be excluded"
        if gate.needed is None:
            return open_still
        return (
            f"{open_still}; about {gate.needed:,} problems would tell (80% power), these are "
            f"{gate.n:,}"
        )
    return "significantly worse, within the margin" if gate.warns else ""


def render_terminal(answer: Answer) -> str:
    """Return the answer as text: a line a metric in columns, and remarks below."""
    if isinstance(answer, NotComparableError):
        return f"{formatting.safe_text(str(answer))}\n"
    rows = [_COLUMNS, *map(_cells, answer.gates)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    remarks = [f"{gate.metric}: {said}." for gate in answer.gates if (said := remark(gate))]
    return (
        formatting.safe_text(
            "\n".join([headline(answer), "", *lines, *([""] if remarks else []), *remarks])
        )
        + "\n"
    )


def render_markdown(answer: Answer) -> str:
    """Return the answer as Markdown for a job's page or a comment."""
    if isinstance(answer, NotComparableError):
        return f"# Regression check: not comparable\n\n{inline(str(answer))}\n"
    lines = [table_line(_COLUMNS), table_line([":---"] * len(_COLUMNS))]
    lines += [table_line(list(map(inline, _cells(gate)))) for gate in answer.gates]
    remarks = [
        f"- {inline(gate.metric)}: {said}." for gate in answer.gates if (said := remark(gate))
    ]
    note = (
        "Differences are paired by problem. The bounds are one-sided 95%: a metric passes where "
        "its lower bound lies above minus the margin."
    )
    parts = [
        f"# Regression check: {answer.outcome}",
        inline(headline(answer)),
        "\n".join(lines),
        *(["\n".join(remarks)] if remarks else []),
        note,
    ]
    return "\n\n".join(parts) + "\n"


def render_json(answer: Answer) -> str:
    """Return the answer as JSON; numbers in the metric's own unit."""
    return json.dumps(_document(answer), indent=2, ensure_ascii=False) + "\n"


def render_junit(answer: Answer) -> str:
    """Return the answer as JUnit XML: a test per gated metric; inconclusive ones are failures of
    their own type.
    """
    if isinstance(answer, NotComparableError):
        suite = ElementTree.Element(
            "testsuite", name="stagelift check", tests="1", failures="0", errors="1"
        )
        case = ElementTree.SubElement(
            suite, "testcase", classname="stagelift.check", name="comparable"
        )
        ElementTree.SubElement(case, "error", type=answer.field, message=_xml(str(answer)))
    else:
        failed = sum(gate.outcome in ("regressed", "inconclusive") for gate in answer.gates)
        counts = {"tests": str(len(answer.gates)), "failures": str(failed), "errors": "0"}
        suite = ElementTree.Element("testsuite", {"name": "stagelift check", **counts})
        for gate in answer.gates:
            _add_case(suite, gate)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'


def render_github(answer: Answer) -> str:
    """Return workflow commands that annotate a job: an error, a warning or a notice per gated
    metric.
    """
    if isinstance(answer, NotComparableError):
        return _annotation("error", "stagelift check", str(answer))
    return "".join(
        _annotation(_level(gate), f"stagelift check: {gate.metric}", _sentence(gate))
        for gate in answer.gates
    )


def _name(scores: StageScores) -> str:
    return f"{scores.run}/{scores.stage}"


def _cells(gate: Gate) -> tuple[str, ...]:
    warning = " (warning)" if gate.warns else ""
    return (
        f"{gate.metric}, n={gate.n}",
        formatting.plain(gate.metric, gate.baseline),
        formatting.plain(gate.metric, gate.candidate),
        formatting.change(gate.metric, gate.delta),
        formatting.change_interval(gate.metric, gate.low, gate.high),
        formatting.size(gate.metric, gate.margin),
        f"{_SYMBOLS[gate.outcome]} {gate.outcome}{warning}",
    )


def _sentence(gate: Gate) -> str:
    _, baseline, candidate, difference, bounds, margin, outcome = _cells(gate)
    said = remark(gate)
    words = [
        f"{outcome}: {baseline} to {candidate}",
        f"difference {difference} {bounds}",
        f"margin {margin}",
        f"n={gate.n}",
        *([said] if said else []),
    ]
    return ", ".join(words)


def _document(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, NotComparableError):
        return {
            "outcome": "not comparable",
            "field": answer.field,
            "message": str(answer),
            "gates": [],
        }
    sides = {
        side: {"run": scores.run, "stage": scores.stage, "contract_id": scores.contract_id}
        for side, scores in (("candidate", answer.candidate), ("baseline", answer.baseline))
    }
    gates = [{**asdict(gate), "remark": remark(gate)} for gate in answer.gates]
    return {
        "outcome": answer.outcome,
        "field": None,
        "message": headline(answer),
        **sides,
        "missing": answer.missing,
        "gates": gates,
    }


def _add_case(suite: ElementTree.Element, gate: Gate) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname="stagelift.check", name=_xml(gate.metric)
    )
    if gate.outcome in ("regressed", "inconclusive"):
        ElementTree.SubElement(case, "failure", type=gate.outcome, message=_xml(_sentence(gate)))
    else:
        ElementTree.SubElement(case, "system-out").text = _xml(_sentence(gate))


def _xml(text: str) -> str:
    """Drop what XML has no place for; names come from files."""
    return "".join(c for c in formatting.safe_text(text) if c not in "\ufffe\uffff")


def _level(gate: Gate) -> str:
    if gate.outcome in ("regressed", "inconclusive"):
        return "error"
    return "warning" if gate.warns else "notice"


def _annotation(level: str, title: str, text: str) -> str:
    """Write one command, escaped as GitHub's runner reads it, so that no name can end it or begin
    another.
    """
    plain = formatting.safe_text(text).replace("%", "%25").replace("\n", "%0A")
    name = (
        formatting.safe_text(title)
        .replace("%", "%25")
        .replace("\n", "%0A")
        .replace(":", "%3A")
        .replace(",", "%2C")
    )
    return f"::{level} title={name}::{plain}\n"
