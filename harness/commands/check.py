"""`stagelift check` and `stagelift baseline`: the regression check of continuous integration.

Exit codes: 0 improved, non-inferior or identical; 1 regressed; 2 bad input; 3 inconclusive; 4 not
comparable.
"""

import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stagelift.harness.commands.options import RunsFolder, fail, keep_garbage, usage_errors

if TYPE_CHECKING:
    from stagelift.reports.gates.answer import Answer

baseline_app = typer.Typer(
    help="Bless a run as what later ones are checked against.", no_args_is_help=True
)

Baselines = Annotated[
    Path, typer.Option("--baselines", help="Folder that holds blessed baselines.")
]
StageName = Annotated[
    str | None, typer.Option("--stage", help="Which stage of a run; the last one if not given.")
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


Margins = Annotated[
    list[str] | None,
    typer.Option(
        "--margin",
        help="How much worse is still fine: accuracy=2 (points), length_tokens=10 (percent; "
        "'10 both': also a fall).",
    ),
]
Gates = Annotated[Path | None, typer.Option(help="A YAML file of margins, one metric a line.")]
OnInconclusive = Annotated[
    Inconclusive, typer.Option(help="Whether an inconclusive check fails with 3 or passes.")
]
AllowMissing = Annotated[
    int, typer.Option(min=0, help="How many problems may be on one side only.")
]
SelfTest = Annotated[
    bool,
    typer.Option(
        "--self-test",
        help="Make a copy of the candidate worse by each margin: the gate must fire.",
    ),
]


def check(
    candidate: Annotated[str, typer.Argument(help="A run by name or folder, or a report.json.")],
    baseline: Annotated[
        str | None, typer.Option(help="A blessed baseline's name, a run, or a report.json.")
    ] = None,
    stage: StageName = None,
    margins: Margins = None,
    gates: Gates = None,
    inconclusive: OnInconclusive = Inconclusive.fail,
    allow_missing: AllowMissing = 0,
    self_test: SelfTest = False,
    format: Annotated[
        CheckFormat, typer.Option(help="How to write the answer.")
    ] = CheckFormat.terminal,
    runs: RunsFolder = Path("runs"),
    baselines: Baselines = Path("baselines"),
) -> None:
    """Check a candidate against a baseline: exit 0 not worse, 1 regressed, 2 bad input, 3
    inconclusive, 4 not comparable.
    """
    keep_garbage()
    from stagelift.harness.checks.sides import load_margins, load_scores
    from stagelift.reports.gates.check import NotComparableError, regressed_copy
    from stagelift.reports.gates.check import check as compare

    if baseline is None and not self_test:
        fail(
            "--baseline is missing. Name a run, a report.json or a blessed baseline, or ask for "
            "--self-test."
        )
    with usage_errors(KeyError):
        limits = load_margins(margins or [], gates, candidate, runs)
        new = load_scores(candidate, runs, stage)
        if self_test:
            answer: Answer = compare(regressed_copy(new, limits), new, limits)
        else:
            old = load_scores(str(baseline), runs, stage, baselines=baselines)
            try:
                answer = compare(new, old, limits, allow_missing)
            except NotComparableError as error:
                answer = error
    _write(answer, format)
    if self_test:
        raise SystemExit(_self_test_code(answer))
    raise SystemExit(_exit_code(answer, inconclusive))


@baseline_app.command("set")
def baseline_set(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run by name or folder.")],
    name: Annotated[str, typer.Option(help="What to call the baseline.")] = "main",
    stage: StageName = None,
    responses: Annotated[
        bool, typer.Option("--responses", help="Keep the responses in the file, too.")
    ] = False,
    runs: RunsFolder = Path("runs"),
    baselines: Baselines = Path("baselines"),
) -> None:
    """Bless a run: write its scores by problem to a small file for git.

    Earlier ones are kept as its history.
    """
    from stagelift.harness.checks.baselines import bless
    from stagelift.harness.checks.sides import load_scores

    with usage_errors(KeyError):
        path = bless(load_scores(run, runs, stage, responses=responses), baselines, name)
    typer.echo(
        f"Written: {path} ({path.stat().st_size / 1000:.0f} kB). Check against it with: --baseline "
        f"{name}"
    )


@baseline_app.command("show")
def baseline_show(
    name: Annotated[
        str | None, typer.Argument(help="One baseline; all of them if not given.")
    ] = None,
    baselines: Baselines = Path("baselines"),
) -> None:
    """Show what is blessed now."""
    from stagelift.harness.checks.baselines import baseline_names, history

    names = baseline_names(baselines) if name is None else [name]
    histories = [history(baselines, wanted) for wanted in names]
    if not histories or not all(histories):
        what = "No baseline" if name is None else f"No baseline {name!r}"
        fail(f"{what} in {baselines}. Bless one with: stagelift baseline set RUN")
    for files in histories:
        _describe(files[-1])


@baseline_app.command("history")
def baseline_history(
    name: Annotated[str, typer.Argument(help="A baseline.")] = "main",
    baselines: Baselines = Path("baselines"),
) -> None:
    """List every baseline of a name, the newest last."""
    from stagelift.harness.checks.baselines import history

    files = history(baselines, name)
    if not files:
        fail(f"No baseline '{name}' in {baselines}. Bless one with: stagelift baseline set RUN")
    for file in files:
        _describe(file)


def _describe(file: Path) -> None:
    from stagelift.harness.checks.baselines import read_baseline
    from stagelift.reports.words.formatting import safe_text

    with usage_errors(KeyError):
        baseline = read_baseline(file)
    scores = baseline.scores
    means = ", ".join(
        f"{metric} {sum(values.values()) / len(values):.4g} (n={len(values)})"
        for metric, values in scores.values.items()
        if metric in ("accuracy", "win_rate_base", "win_rate", "length_tokens", "length_chars")
    )
    typer.echo(
        safe_text(
            f"{file}: {scores.run}/{scores.stage}, blessed {baseline.blessed}, contract "
            f"{scores.contract_id}; {means}"
        )
    )


def _write(answer: "Answer", format: CheckFormat) -> None:
    from stagelift.reports.gates import answer as answers

    match format:
        case CheckFormat.terminal:
            text = answers.render_terminal(answer)
        case CheckFormat.markdown:
            text = answers.render_markdown(answer)
        case CheckFormat.json:
            text = answers.render_json(answer)
        case CheckFormat.junit:
            text = answers.render_junit(answer)
        case CheckFormat.github:
            text = answers.render_github(answer)
            _add_to_job_page(answers.render_markdown(answer))
    sys.stdout.write(text)


def _add_to_job_page(markdown: str) -> None:
    """Append to the page of a GitHub job, where there is one."""
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(markdown)


def _exit_code(answer: "Answer", inconclusive: Inconclusive) -> int:
    from stagelift.reports.gates.check import Check

    if not isinstance(answer, Check):
        return 4
    if answer.outcome == "inconclusive":
        return 3 if inconclusive is Inconclusive.fail else 0
    return 1 if answer.outcome == "regressed" else 0


def _self_test_code(answer: "Answer") -> int:
    """Say whether every gate fired on a copy that was made worse by its margin."""
    from stagelift.reports.gates.check import Check

    assert isinstance(answer, Check)
    silent = [gate.metric for gate in answer.gates if gate.outcome != "regressed"]
    if not silent:
        typer.echo(
            "Self-test passed: every gate fires on a copy that is worse by its margin.", err=True
        )
        return 0
    typer.echo(
        f"Self-test failed: {', '.join(silent)} would let a fall by the margin through. Use more "
        "problems or a wider margin.",
        err=True,
    )
    return 3
