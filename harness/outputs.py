"""What a run leaves for its readers, made anew from its records.

These are reports in its folder, and a model card beside each adapter.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stagelift.evals.files import write_text
from stagelift.evals.models.model import hub_model
from stagelift.evals.whole import write_bytes
from stagelift.harness.agreeing import read_agreeing_run
from stagelift.reports.folders import RunFolder
from stagelift.reports.formats.card import render_card
from stagelift.reports.formats.document import render_json
from stagelift.reports.formats.html import render_html
from stagelift.reports.formats.markdown import render_markdown
from stagelift.reports.formats.names import Format
from stagelift.reports.formats.text import render_text
from stagelift.reports.plots.figures import figure_files
from stagelift.reports.plots.scoreboard import scoreboard_pictures
from stagelift.reports.plots.standalone import standalone_svg
from stagelift.reports.records import RunRecord, StageRecord
from stagelift.reports.report import Report, build_report
from stagelift.stages.folders import NodeFolder


@dataclass(frozen=True)
class Outputs:
    """The report of a run, the files it was written to, and the model cards."""

    report: Report
    reports: list[Path]
    cards: list[Path]


def load_report(folders: Sequence[Path], *, across_engines: bool = False) -> Report:
    """Read runs and compare their stages, which one engine answered unless `across_engines`.

    Raises ValueError or OSError where their records do not allow it.
    """
    return build_report(
        [read_agreeing_run(folder) for folder in folders], across_engines=across_engines
    )


def write_outputs(folder: Path) -> Outputs:
    """Write the reports of a run and the cards of its trained stages, each file in one step.

    Raises like `load_report`.
    """
    run = with_base(read_agreeing_run(folder))
    report = build_report([run])
    place = RunFolder(folder)
    document = place.report("json")
    write_text(document, render_json(report))
    reports = [
        *write_markdown(report, place.report("md")),
        document,
        *write_page(report, place.report("html")),
    ]
    cards = {
        node.card: render_card(with_base(run, stage), stage)
        for stage, node in _with_adapters(run, place)
    }
    for path, text in cards.items():
        write_text(path, text)
    return Outputs(report, reports, list(cards))


def write_report(
    report: Report, form: Format, output: Path, *, summary: bool = False
) -> list[Path]:
    """Write a report in a format, and return what was written."""
    if form is Format.html:
        return write_page(report, output)
    if form is Format.markdown and not summary:
        return write_markdown(report, output)
    write_text(output, render_text(report, form, summary=summary))
    return [output]


def write_figures(report: Report, folder: Path) -> list[Path]:
    """Write every plot of a report as SVG and PDF, and return what was written."""
    paths = []
    for file in figure_files(report):
        write_bytes(folder / file.name, file.content)
        paths.append(folder / file.name)
    return paths


def write_markdown(report: Report, path: Path) -> list[Path]:
    """Write the Markdown report, and return what was written.

    The scoreboard's picture lies beside it under its name. Both replace what is there, as every
    output that was named does.
    """
    pictures, beside = scoreboard_pictures(report), path.with_suffix(".svg")
    if pictures is None:
        write_text(path, render_markdown(report))
        return [path]
    # first: a link to a picture that is not there would be of no use
    write_text(beside, standalone_svg(pictures.wide))
    write_text(path, render_markdown(report, beside.name))
    return [path, beside]


def write_page(report: Report, path: Path) -> list[Path]:
    """Write the HTML report, and return what was written.

    Responses that would make it too large are in a file beside it.
    """
    beside = path.with_name(f"{path.stem}-responses.js")
    page = render_html(report, beside.name)
    if page.responses is not None:
        # first: a page without its responses would be of no use
        write_text(beside, page.responses)
    write_text(path, page.html)
    return [path] if page.responses is None else [path, beside]


def with_base(run: RunRecord, stage: StageRecord | None = None) -> RunRecord:
    """Add what the model under a stage is called on the Hub; records know it by its fingerprint.

    None: the one that the run starts from.
    """
    weights = run.stages[0] if stage is None else run.weights(stage)
    named = hub_model(str(weights.identity.get("model", "")))
    if named is None:
        return replace(run, base_model=None, base_revision=None)
    model, revision = named
    return replace(run, base_model=model, base_revision=revision)


def _with_adapters(run: RunRecord, folder: RunFolder) -> Iterator[tuple[StageRecord, NodeFolder]]:
    """Yield the stages whose own node holds an adapter.

    One that was trained elsewhere lies in a folder of the user's.
    """
    nodes = {
        stage.name: NodeFolder(folder.runs.root / stage.node) for stage in folder.read().stages
    }
    for stage in run.stages:
        if stage.training is not None and nodes[stage.name].has_adapter():
            yield stage, nodes[stage.name]
