"""The report as one HTML page with styles, script, plots and every response inside.

Only where the responses would make the page too large do they go to a second file beside it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from stagelift.reports.formats.explorer import Problems, json_text, problems
from stagelift.reports.formats.page import (
    LARGEST,
    page_policy,
    page_script,
    page_source,
    page_template,
)
from stagelift.reports.plots import Plot, plots
from stagelift.reports.plots.scoreboard import Pictures, scoreboard_pictures
from stagelift.reports.report import Report
from stagelift.reports.tables.between import between_sections
from stagelift.reports.tables.gains import gain_notes, gain_table
from stagelift.reports.tables.models import model_table
from stagelift.reports.tables.stages import stage_table
from stagelift.reports.tables.study import study_sections
from stagelift.reports.tables.trajectory import trajectory_sections
from stagelift.reports.words.gained_and_lost import gained_and_lost
from stagelift.reports.words.illness import TITLE as ILL
from stagelift.reports.words.illness import illnesses
from stagelift.reports.words.notes import footnotes
from stagelift.reports.words.provenance import provenance_lines
from stagelift.reports.words.stage_lines import StageLine, basis, stage_lines
from stagelift.reports.words.summary import summary

# a chain of four stages and the whole of it
MOST_ABOVE = 5


@dataclass(frozen=True)
class Page:
    """A page, and the text of the file beside it where the responses made it too large."""

    html: str
    responses: str | None


def render_html(report: Report, responses_file: str | None = None) -> Page:
    """Return the report as a page.

    Responses that make it larger than LARGEST go to `responses_file`, a plain file name. Raises
    ValueError where they would have to and no file is named.
    """
    data, drawn = problems(report), _Drawn(scoreboard_pictures(report), plots(report))
    whole = _page(report, data, drawn, None)
    size = len(whole.encode())
    if size <= LARGEST:
        return Page(whole, None)
    if responses_file is None:
        raise ValueError(
            f"The report's page would have {size / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f} MB, "
            "so its responses go to a file beside it. Say where with `--output FILE`."
        )
    return Page(_page(report, data, drawn, responses_file), _side_file(data))


@dataclass(frozen=True)
class _Drawn:
    """What a page shows first, and its other plots."""

    pictures: Pictures | None
    plots: Sequence[Plot]


def _page(report: Report, data: Problems, drawn: _Drawn, responses_file: str | None) -> str:
    style = page_source("report.css", "table.css", "problems.css")
    script = page_script("page.js", "report.js", "problems.js")
    policy = page_policy(script, style, loads_a_file=responses_file is not None)
    return page_template("report.html").render(
        report=report,
        title=", ".join(run.name for run in report.runs),
        lines=_around_the_picture(stage_lines(report)),
        basis=basis(report),
        pictures=drawn.pictures,
        model_table=model_table(report),
        summary=summary(report),
        gained_and_lost=gained_and_lost(report),
        ill=ILL,
        illnesses=illnesses(report),
        between=between_sections(report),
        study=study_sections(report),
        stage_table=stage_table(report),
        checkpoints=trajectory_sections(report),
        gain_table=gain_table(report),
        gain_notes=gain_notes(),
        plots=drawn.plots,
        problems=data.index,
        index=Markup(json_text(data.index)),
        chunks=[] if responses_file else [Markup(chunk) for chunk in data.chunks],
        responses=Markup(json_text(_place(data, responses_file))),
        notes=footnotes(report),
        provenance=_by_run(provenance_lines(report)),
        policy=Markup(policy),
        style=Markup(style),
        script=Markup(script),
    )


def _place(data: Problems, responses_file: str | None) -> dict[str, object]:
    """Tell the page's script where the responses are; without a file they are in the page."""
    if not responses_file:
        return {"file": None}
    return {"file": responses_file, "key": data.key, "chunks": len(data.chunks)}


@dataclass(frozen=True)
class _Lines:
    """The answer's lines above the picture, and those below it."""

    above: Sequence[StageLine]
    below: Sequence[StageLine]


def _around_the_picture(lines: Sequence[StageLine]) -> _Lines:
    """Keep the picture on the first screen: of a study with many lines what it found comes first,
    the others below.
    """
    if len(lines) > MOST_ABOVE and lines[0].of_all:
        return _Lines(lines[:1], lines[1:])
    return _Lines(lines, ())


def _by_run(lines: Sequence[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Split the lines of all runs at each run's first one."""
    starts = [place for place, (name, _) in enumerate(lines) if name == "run"]
    return [list(lines[start:end]) for start, end in zip(starts, [*starts[1:], None], strict=True)]


def _side_file(data: Problems) -> str:
    """Write one call per chunk.

    Its JSON stands in a string: a string is parsed when it is needed, and code at once.
    """
    key = json.dumps(data.key)
    return "".join(
        f"stageliftResponses({key}, {number}, {_quoted(chunk)});\n"
        for number, chunk in enumerate(data.chunks)
    )


def _quoted(text: str) -> str:
    """Write JSON, which has no line breaks, as a JavaScript string in quotes it does not use."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
