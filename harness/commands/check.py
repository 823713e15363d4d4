"""`stagelift check` and `stagelift baseline`: the regression check of continuous integration.

Exit codes: 0 shown to be no worse; 1 regressed; 2 bad input; 3 inconclusive; 4 not comparable, or
something required is missing. Whatever else goes wrong is none of these: 1 is an answer.
"""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands import completing
from stagelift.harness.commands.examples import example_lines
from stagelift.harness.commands.help import Command, Group
from stagelift.harness.commands.options import (
    AcrossEngines,
    OneRun,
    RunsFolder,
    fail,
    keep_garbage,
    refuse_beside,
    usage_errors,
)
from stagelift.harness.streams import write_document

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stagelift.harness.checks.checking import Request
    from stagelift.reports.gates.answer import Answer
    from stagelift.reports.gates.scores import StageScores

baseline_app = typer.Typer(
    cls=Group,
    help="Bless a run as what later ones are checked against.",
    epilog=example_lines("baseline"),
    no_args_is_help=True,
)

_BLESS = "Bless one with: stagelift baseline set RUN"
# of a baseline that declares no gates
_SHOWN = ("accuracy", "win_rate_base", "win_rate", "length_tokens", "length_chars")

Baselines = Annotated[
    Path,
    typer.Option("--baselines", metavar="FOLDER", help="Folder that holds blessed baselines."),
]
StageName = Annotated[
    str | None,
    typer.Option(
        "--stage",
        metavar="STAGE",
        help="Which stage of a run; if not given, the one that the baseline is of, or the last.",
    ),
]


class CheckFormat(StrEnum):
    """How a check's answer is written."""

    terminal = "terminal"
    markdown = "markdown"
    json = "json"
    junit = "junit"
    github = "github"


class Inconclusive(StrEnum):
    """What an inconclusive check does to a job."""

    fail = "fail"
    let_pass = "pass"


Candidate = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The candidate: a run by name or folder, or a report.json.",
        autocompletion=completing.run_names,
    ),
]
Against = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        metavar="BASELINE",
        help="A blessed baseline's name, a run, or a report.json.",
    ),
]
Margins = Annotated[
    list[str] | None,
    typer.Option(
        "--margin",
        metavar="METRIC=NUMBER",
        help="How much worse is still fine: accuracy=2 (points), length_tokens=10 (percent; "
        "'10 both': also a fall).",
    ),
]
Gates = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="A YAML file of margins, one metric a line, and `tiers: {critical: [...], "
        "supporting: [...], advisory: [...]}`.",
    ),
]
OnInconclusive = Annotated[
    Inconclusive, typer.Option(help="Whether an inconclusive check fails with 3 or passes.")
]
AllowMissing = Annotated[
    int,
    typer.Option(
        min=0,
        metavar="N",
        help="How many problems may be on one side only; the bounds take them at their worst.",
    ),
]
SelfTest = Annotated[
    bool,
    typer.Option(
        "--self-test",
        help="Draw falls by each margin and say how many the gates would catch: exit 0 where each "
        "catches 80%, else 3.",
    ),
]


def check(
    candidate: Candidate,
    baseline: Against = None,
    stage: StageName = None,
    margins: Margins = None,
    gates: Gates = None,
    inconclusive: OnInconclusive = Inconclusive.fail,
    allow_missing: AllowMissing = 0,
    across_engines: AcrossEngines = False,
    self_test: SelfTest = False,
    format: Annotated[
        CheckFormat, typer.Option(help="How to write the answer.")
    ] = CheckFormat.terminal,
    runs: RunsFolder = Path("runs"),
    baselines: Baselines = Path("baselines"),
) -> None:
    """Check a candidate against a baseline.

    Exit 0 shown to be no worse, 1 regressed, 2 bad input, 3 inconclusive, 4 not comparable or
    something required is missing.
    """
    keep_garbage()
    from stagelift.harness.checks.checking import Request
    from stagelift.harness.checks.margins import written_margins

    if baseline is None and not self_test:
        fail(
            "--baseline is missing. Name a run, a report.json or a blessed baseline, or ask for "
            "--self-test."
        )
    if self_test:
        passes = inconclusive is Inconclusive.let_pass
        asked = {"--inconclusive": passes, "--allow-missing": allow_missing}
        _check_self_test(format, {**asked, "--across-engines": across_engines})
    with usage_errors():
        request = Request(
            candidate=candidate,
            baseline=baseline,
            stage=stage,
            gates=gates,
            margins=written_margins(margins or []),
            runs=runs,
            baselines=baselines,
            allow_missing=allow_missing,
            across_engines=across_engines,
        )
        code = _self_test(request, format) if self_test else _check(request, format, inconclusive)
    raise SystemExit(code)


@baseline_app.command(
    "set",
    cls=Command,
    short_help="Bless a run: write its scores and what a check requires",
    epilog=example_lines("baseline set"),
)
def baseline_set(
    run: OneRun,
    name: Annotated[str, typer.Option(metavar="NAME", help="What to call the baseline.")] = "main",
    stage: StageName = None,
    margins: Margins = None,
    gates: Gates = None,
    responses: Annotated[
        bool, typer.Option("--responses", help="Keep the responses in the file, too.")
    ] = False,
    runs: RunsFolder = Path("runs"),
    baselines: Baselines = Path("baselines"),
) -> None:
    """Bless a run: write its scores by problem, and what a check against them requires, to a small
    file for git. A run with `seeds` blesses the recipe: its file has the scores of every seed.

    Required are the gates of its recipe, of --gates and of --margin, or else the default ones of
    the metrics it has. Earlier baselines are kept as its history.
    """
    from stagelift.harness.checks.baselines import bless
    from stagelift.harness.checks.margins import merged, read_asked, written_margins
    from stagelift.harness.checks.sides import load_baseline
    from stagelift.reports.gates.check import refuse_ungateable
    from stagelift.reports.gates.not_comparable import NotComparableError

    with usage_errors(NotComparableError):
        asked = read_asked(gates, written_margins(margins or []))
        side = load_baseline(run, runs, stage, responses=responses)
        limits = merged(side.margins, asked, side.scores)
        refuse_ungateable(limits, side.scores, "run")
        path = bless(side.scores, limits, baselines, name)
    required = ", ".join(
        f"{margin.metric} {margin.size:g}{' both' if margin.both else ''} ({margin.tier})"
        for margin in limits
    )
    _say(
        f"Written: {path} ({path.stat().st_size / 1000:.0f} kB). It requires stage "
        f"'{side.scores.stage}'{_seeds(side.scores)} and {required}. Check against it with: "
        f"--baseline {name}"
    )


@baseline_app.command(
    "show", cls=Command, short_help="What is blessed now", epilog=example_lines("baseline show")
)
def baseline_show(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="One baseline; all of them if not given."),
    ] = None,
    baselines: Baselines = Path("baselines"),
) -> None:
    """Show what is blessed now."""
    from stagelift.harness.checks.baselines import baseline_names

    names = baseline_names(baselines)
    if name is None and not names:
        fail(f"No baseline in {baselines}. {_BLESS}")
    for wanted in names if name is None else [name]:
        _describe(_history(baselines, wanted)[-1])


@baseline_app.command(
    "history",
    cls=Command,
    short_help="Every baseline of a name",
    epilog=example_lines("baseline history"),
)
def baseline_history(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A baseline.")] = "main",
    baselines: Baselines = Path("baselines"),
) -> None:
    """List every baseline of a name, the newest last."""
    for file in _history(baselines, name):
        _describe(file)


def _history(baselines: Path, name: str) -> list[Path]:
    """Return every baseline of a name, or end with the name that is near."""
    from stagelift.evals.nearest import did_you_mean
    from stagelift.harness.checks.baselines import baseline_names, history

    files = history(baselines, name)
    if not files:
        near = did_you_mean(name, baseline_names(baselines))
        fail(f"No baseline '{name}' in {baselines}.{near} {_BLESS}")
    return files


def _describe(file: Path) -> None:
    from stagelift.harness.checks.baselines import read_baseline

    with usage_errors():
        baseline = read_baseline(file)
    scores = baseline.scores
    means = ", ".join(
        f"{metric} {sum(values.values()) / len(values):.4g} (n={len(values)})"
        for metric, values in scores.values.items()
        if values and metric in (baseline.gates or _SHOWN)
    )
    gates = ", ".join(
        f"{metric} {baseline.gates[metric]} ({tier})"
        for tier, metrics in baseline.tiers.items()
        for metric in metrics
    )
    _say(
        f"{file}: {scores.run}/{scores.stage}{_seeds(scores)}, blessed {baseline.blessed}, "
        f"contract {scores.contract_id}; {means}; gates: {gates or 'none declared'}"
    )


def _seeds(scores: "StageScores") -> str:
    """Say that scores are of a recipe."""
    return f" (recipe, {len(scores.trainings)} seeds)" if scores.trainings else ""


def _say(text: str) -> None:
    from stagelift.evals.printed import one_line

    typer.echo(one_line(text))


def _check(request: "Request", format: CheckFormat, inconclusive: Inconclusive) -> int:
    """Write the answer, and return its exit code."""
    from stagelift.harness.checks.checking import checked
    from stagelift.harness.checks.decision import Decision
    from stagelift.reports.gates.not_comparable import NotComparableError

    try:
        answer: Answer = checked(request)
    except NotComparableError as error:
        answer = error
    _write(answer, format)
    passes = inconclusive is Inconclusive.let_pass
    return Decision(answer, inconclusive_passes=passes).exit_code


def _self_test(request: "Request", format: CheckFormat) -> int:
    """Write what the gates would catch, and say whether that is 80% for each."""
    from stagelift.harness.checks.checking import self_tested
    from stagelift.reports.gates import self_test_answer
    from stagelift.reports.gates.not_comparable import NotComparableError

    try:
        powers = self_tested(request)
    except NotComparableError as error:
        _write(error, format)
        return 4
    if format is CheckFormat.json:
        write_document(self_test_answer.render_json(powers))
    else:
        typer.echo(self_test_answer.render_terminal(powers), nl=False)
    return 0 if all(power.is_enough for power in powers) else 3


def _check_self_test(format: CheckFormat, others: "Mapping[str, object]") -> None:
    refuse_beside("--self-test", others)
    if format not in (CheckFormat.terminal, CheckFormat.json):
        fail(f"A self-test is written as terminal or json, not as {format.value}.")


def _write(answer: "Answer", format: CheckFormat) -> None:
    from stagelift.reports.gates import answer as answers

    match format:
        case CheckFormat.terminal:
            typer.echo(answers.render_terminal(answer), nl=False)
            return
        case CheckFormat.markdown:
            text = answers.render_markdown(answer)
        case CheckFormat.json:
            text = answers.render_json(answer)
        case CheckFormat.junit:
            text = answers.render_junit(answer)
        case CheckFormat.github:
            text = answers.render_github(answer)
            _add_to_job_page(answers.render_markdown(answer))
    write_document(text)


def _add_to_job_page(markdown: str) -> None:
    """Append to the page of a GitHub job, where there is one."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(markdown)
