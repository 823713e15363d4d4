"""A check's answer for people and machines: terminal, Markdown, JSON, JUnit for a test tab, and
GitHub's annotations.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from xml.etree import ElementTree

from stagelift.evals.metrics.measures import measure
from stagelift.evals.printed import one_line
from stagelift.evals.stats.families import ALPHA
from stagelift.evals.stats.two_levels import MOST_SEEDS
from stagelift.reports.gates.check import Check
from stagelift.reports.gates.gate import Gate, Outcome, decides
from stagelift.reports.gates.margins import DEFAULT
from stagelift.reports.gates.not_comparable import NotComparableError
from stagelift.reports.gates.scores import StageScores
from stagelift.reports.words import formatting
from stagelift.reports.words.escaping import inline, paragraph, table_line

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
    first, second = answer.candidate, answer.baseline
    sides = f"{_name(first)}{_what(first, second)} against {_name(second)}{_what(second, first)}"
    missing = f" {answer.missing} problems were on one side only." if answer.missing else ""
    return f"{sides}: {answer.outcome}{_decided_by(answer.gates, answer.outcome)}.{missing}"


def remark(gate: Gate) -> str:
    """Say what a gate's outcome means where its word alone does not; "" where it does."""
    said = [_of_outcome(gate), _of_seeds(gate), _of_missing(gate), _of_tier(gate)]
    return "; ".join(words for words in said if words)


def render_terminal(answer: Answer) -> str:
    """Return the answer as text: a line a metric in columns, remarks and notes below."""
    if isinstance(answer, NotComparableError):
        return f"{one_line(str(answer))}\n"
    rows = [_COLUMNS, *map(_cells, answer.gates)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    below = [one_line(words) for words in [*_remarks(answer), *_notes(answer)]]
    first = one_line(headline(answer))
    return "\n".join([first, "", *lines, *([""] if below else []), *below]) + "\n"


def render_markdown(answer: Answer) -> str:
    """Return the answer as Markdown for a job's page or a comment."""
    if isinstance(answer, NotComparableError):
        return f"# Regression check: not comparable\n\n{_inline(str(answer))}\n"
    lines = [table_line(_COLUMNS), table_line([":---"] * len(_COLUMNS))]
    lines += [table_line(list(map(inline, _cells(gate)))) for gate in answer.gates]
    below = [f"- {_inline(words)}" for words in [*_remarks(answer), *_notes(answer)]]
    note = (
        "Differences are paired by problem. The bounds are one-sided 95%: a metric passes where "
        "its lower bound lies above minus the margin."
    )
    if any(gate.seeds for gate in answer.gates):
        note += " With several seeds they allow for other training seeds, too."
    parts = [
        f"# Regression check: {answer.outcome}",
        _inline(headline(answer)),
        "\n".join(lines),
        *(["\n".join(below)] if below else []),
        note,
    ]
    return "\n\n".join(parts) + "\n"


def render_json(answer: Answer) -> str:
    """Return the answer as JSON; numbers in the metric's own unit. It is ASCII, and without the
    marks that a log would take for a command.
    """
    return json.dumps(_document(answer), indent=2).replace("##", "\\u0023\\u0023") + "\n"


def render_junit(answer: Answer) -> str:
    """Return the answer as JUnit XML: a test per gated metric, a failure where the check cannot
    pass with it; its type is the outcome. The headline and notes are its output.
    """
    if isinstance(answer, NotComparableError):
        suite = ElementTree.Element(
            "testsuite", name="stagelift check", tests="1", failures="0", errors="1"
        )
        case = ElementTree.SubElement(
            suite, "testcase", classname="stagelift.check", name="comparable"
        )
        ElementTree.SubElement(
            case,
            "error",
            type=one_line(answer.field),
            message=one_line(str(answer)),
        )
    else:
        failed = sum(gate.fails for gate in answer.gates)
        counts = {"tests": str(len(answer.gates)), "failures": str(failed), "errors": "0"}
        suite = ElementTree.Element("testsuite", {"name": "stagelift check", **counts})
        for gate in answer.gates:
            _add_case(suite, gate)
        said = [one_line(words) for words in [headline(answer), *_notes(answer)]]
        ElementTree.SubElement(suite, "system-out").text = "\n".join(said)
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
    gates = [
        _annotation(_level(gate), f"stagelift check: {gate.metric}", _sentence(gate))
        for gate in answer.gates
    ]
    notes = [_annotation("notice", "stagelift check", note) for note in _notes(answer)]
    return "".join([*gates, *notes])


def _decided_by(gates: Sequence[Gate], outcome: Outcome) -> str:
    """Name, as a clause, the metrics that make the outcome what it is, each with its difference."""
    deciding = [gate for gate in gates if gate.outcome == outcome and decides(gate)]
    said = [f"{gate.metric} ({_against_margin(gate)})" for gate in deciding]
    return f" on {', '.join(said)}"


def _against_margin(gate: Gate) -> str:
    change = formatting.change(gate.metric, gate.delta)
    bounds = formatting.change_interval(gate.metric, gate.low, gate.high)
    default = ", a default" if gate.given_by == DEFAULT else ""
    return f"{change} {bounds}, margin {formatting.size(gate.metric, gate.margin)}{default}"


def _notes(answer: Check) -> list[str]:
    """Return what a reader must know: first that margins are defaults, where nobody declared
    them.
    """
    return [*_of_defaults(answer.gates), *answer.notes]


def _of_defaults(gates: Sequence[Gate]) -> list[str]:
    usual = {gate.metric: measure(gate.metric).margin for gate in gates if gate.given_by == DEFAULT}
    if not usual:
        return []
    written = " ".join(f"--margin {metric}={margin:g}" for metric, margin in usual.items())
    gated = ", ".join(f"{metric}: {margin:g}" for metric, margin in usual.items())
    return [
        f"Nobody declared the margins of {', '.join(usual)}: they are defaults. Declare what a "
        f"fall may cost before you look, with {written}, or in the baseline's recipe with gates: "
        f"{{{gated}}}."
    ]


def _name(scores: StageScores) -> str:
    return f"{scores.run}/{scores.stage}"


def _what(scores: StageScores, other: StageScores) -> str:
    """Say what a side is, where one of them is a recipe."""
    if scores.trainings:
        return f" (recipe, {len(scores.trainings)} seeds)"
    return " (one training)" if other.trainings else ""


def _remarks(answer: Check) -> list[str]:
    return [f"{gate.metric}: {said}." for gate in answer.gates if (said := remark(gate))]


def _of_outcome(gate: Gate) -> str:
    match gate.outcome:
        case "regressed":
            return "worse, and more than the margin cannot be excluded"
        case "inconclusive" if gate.same_responses:
            return f"the responses are the same bytes, and {gate.n:,} say too little{_needed(gate)}"
        case "inconclusive" if gate.p < ALPHA:
            return (
                f"worse by itself ({formatting.p_value(gate.p)}), not after Holm over all gates "
                f"({formatting.p_value(gate.p_adjusted or gate.p)})"
            )
        case "inconclusive":
            return f"neither a fall by the margin nor none can be excluded{_needed(gate)}"
        case "identical":
            return "the responses are the same bytes"
        case _:
            return "significantly worse, within the margin" if gate.warns else ""


def _needed(gate: Gate) -> str:
    """Say how many problems would tell, of recipes how many seeds."""
    if gate.seeds is not None:
        return _needed_seeds(gate, gate.seeds)
    if gate.needed is None:
        return ""
    if gate.needed <= gate.n:
        return f"; {gate.needed:,} problems of an equally good candidate are enough (80% power)"
    power = "" if gate.same_responses else " (80% power)"
    return f"; about {gate.needed:,} problems would tell{power}, these are {gate.n:,}"


def _needed_seeds(gate: Gate, seeds: tuple[int, int]) -> str:
    these = f"these are {_seeds(seeds)} and {gate.n:,} problems"
    if gate.needed_seeds is None:
        return f"; {MOST_SEEDS} seeds a side would not tell, {these}"
    if gate.needed_seeds <= min(seeds):
        enough = f"{gate.needed_seeds} seeds a side"
        return f"; {enough} of an equally good candidate are enough (80% power)"
    return f"; about {gate.needed_seeds} seeds a side would tell (80% power), {these}"


def _of_seeds(gate: Gate) -> str:
    """Say what seeds alone do, where one training is held against a recipe."""
    if gate.seeds is None or gate.seed_noise is None or min(gate.seeds) > 1:
        return ""
    noise = formatting.size(gate.metric, gate.seed_noise)
    did = "may differ by up to" if max(gate.seeds) > 2 else "were seen to differ by"
    return f"two trainings that differ in their seed alone {did} {noise}"


def _seeds(seeds: tuple[int, int]) -> str:
    """Write how many seeds candidate and baseline have."""
    candidate, baseline = seeds
    if candidate == baseline:
        return f"{candidate} seeds a side"
    return f"{candidate} against {baseline} seeds"


def _of_missing(gate: Gate) -> str:
    if not gate.missing:
        return ""
    if measure(gate.metric).bounds is None or measure(gate.metric).equal_lengths:
        return f"{gate.missing} problems on one side only are left out"
    return f"the bounds allow for {gate.missing} problems on one side only, at their worst"


def _of_tier(gate: Gate) -> str:
    if gate.tier == "advisory":
        return "advisory, it decides nothing"
    is_let_pass = gate.tier == "supporting" and gate.outcome == "inconclusive"
    return "supporting, so that it fails only where it regressed" if is_let_pass else ""


def _cells(gate: Gate) -> tuple[str, ...]:
    warning = " (warning)" if gate.warns else ""
    return (
        one_line(f"{gate.metric}, {_size(gate)}"),
        formatting.plain(gate.metric, gate.baseline),
        formatting.plain(gate.metric, gate.candidate),
        formatting.change(gate.metric, gate.delta),
        formatting.change_interval(gate.metric, gate.low, gate.high),
        one_line(f"{formatting.size(gate.metric, gate.margin)} ({gate.given_by})"),
        f"{_SYMBOLS[gate.outcome]} {gate.outcome}{warning}",
    )


def _size(gate: Gate) -> str:
    return f"n={gate.n}" if gate.seeds is None else f"n={gate.n}, {_seeds(gate.seeds)}"


def _sentence(gate: Gate) -> str:
    _, baseline, candidate, difference, bounds, margin, outcome = _cells(gate)
    said = remark(gate)
    words = [
        f"{outcome}: {baseline} to {candidate}",
        f"difference {difference} {bounds}",
        f"margin {margin}",
        _size(gate),
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
        side: {
            "run": scores.run,
            "stage": scores.stage,
            "contract_id": scores.contract_id,
            "seeds": [training.seed for training in scores.trainings],
        }
        for side, scores in (("candidate", answer.candidate), ("baseline", answer.baseline))
    }
    gates = [{**asdict(gate), "fails": gate.fails, "remark": remark(gate)} for gate in answer.gates]
    return {
        "outcome": answer.outcome,
        "field": None,
        "message": headline(answer),
        **sides,
        "missing": answer.missing,
        "gates": gates,
        "notes": _notes(answer),
    }


def _add_case(suite: ElementTree.Element, gate: Gate) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname="stagelift.check", name=one_line(gate.metric)
    )
    if gate.outcome in ("regressed", "inconclusive"):
        ElementTree.SubElement(
            case, "failure", type=gate.outcome, message=one_line(_sentence(gate))
        )
    else:
        ElementTree.SubElement(case, "system-out").text = one_line(_sentence(gate))


def _inline(text: str) -> str:
    """Escape text of others as Markdown that a log, too, can show."""
    return paragraph(one_line(text))


def _level(gate: Gate) -> str:
    if gate.fails:
        return "error"
    return "warning" if gate.warns or gate.outcome in ("regressed", "inconclusive") else "notice"


def _annotation(level: str, title: str, text: str) -> str:
    """Write one command, escaped as GitHub's runner reads it, so that no name can end it or begin
    another.
    """
    plain = one_line(text).replace("%", "%25")
    name = one_line(title).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")
    return f"::{level} title={name}::{plain}\n"
