"""`from stagelift import run, evaluate, load, check`: what the commands do, as functions."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import stagelift
from stagelift.harness.api import check, evaluate, load, run
from stagelift.harness.checks.decision import Decision
from stagelift.harness.cli import app
from stagelift.harness.errors import StageliftError, UsageError
from stagelift.harness.progress import NotebookView, open_view
from stagelift.harness.recipes.yaml_text import read_yaml_file
from stagelift.harness.results import Results
from stagelift.reports.formats.names import Format, format_of
from stagelift.reports.formats.notebook import render_notebook
from stagelift.reports.formats.text import render_text
from stagelift.reports.report import build_report
from tests.records import make_chain
from tests.shared import copied
from tests.test_markdown import without_picture

ROOT = Path(__file__).resolve().parent.parent
STORED = ROOT / "tests" / "data" / "earlier" / "stored"
HOSTILE = "<script>alert(1)</script> $x^2$ \x1b[31m & </table>"


@pytest.fixture(scope="module")
def chain() -> Results:
    return load("chain", runs=STORED)


def command(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_importing_stagelift_waits_for_nothing() -> None:
    code = (
        "import sys, stagelift; names = dir(stagelift); "
        "print(*sorted({'pandas', 'numpy', 'torch', 'pydantic', 'rich', 'yaml', 'typer'} & "
        "set(sys.modules)), *names)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    words = done.stdout.split()
    assert not {"pandas", "numpy", "torch", "pydantic", "rich", "yaml", "typer"} & {*words}
    assert {"run", "evaluate", "load", "check"} <= {*words}


def test_every_public_name_is_there_and_no_other() -> None:
    public: dict[str, Any] = {name: getattr(stagelift, name) for name in stagelift.__all__}
    assert public["run"] is run and public["check"] is check and public["evaluate"] is evaluate
    assert public["Results"] is Results and issubclass(public["UsageError"], StageliftError)
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = stagelift.train  # type: ignore[attr-defined]  # what is not there is asked for


def test_a_run_is_loaded_by_name_or_folder_and_says_what_the_command_says(chain: Results) -> None:
    assert chain.names == ["chain"] and repr(chain).startswith("Results(chain: base, sft")
    folder = load(STORED / "chain")
    for form in ("terminal", "markdown", "json", "csv", "latex"):
        said = command("report", "chain", "--runs", str(STORED), "--format", form)
        assert said.exit_code == 0
        if form != "terminal":
            assert chain.report(form) == folder.report(form) == said.stdout
    assert chain.report(summary=True).startswith("# What each stage added")
    assert chain.summary in chain.report("json")


def test_frames_are_made_once(chain: Results) -> None:
    assert chain.stages is chain.stages
    assert set(chain.stages["stage"]) == set(chain.problems["stage"])
    assert set(chain.comparisons["verdict"]) <= {*json.loads(chain.report("json")).keys()} | {
        "improved",
        "regressed",
        "longer",
        "shorter",
        "slower",
        "faster",
        "not after Holm",
        "no difference shown",
        "identical",
        "extrapolated",
    }


def test_every_error_is_one_sentence_of_one_class() -> None:
    wrong: list[tuple[Callable[[], object], str]] = [
        (lambda: load(), "No run is named"),
        (lambda: load("nothing", runs=STORED), "is not a run"),
        (lambda: load("chain", "theirs", runs=STORED), "different contracts"),
        (lambda: run("no-such-recipe"), "No recipe 'no-such-recipe'"),
        (lambda: run({"name": "x", "stages": ["ppo"]}), "Unknown stage 'ppo'"),
        (lambda: run("smoke", set="lora.r=4"), "Give it as set="),
        (lambda: run("quickstart", set={"lora.rank": 4}), "rank"),
        (lambda: run("quickstart", set={"evals.accuracy.limti": 4}), "did you mean 'limit'?"),
        (lambda: evaluate("./nowhere", recipe="quickstart"), r"nowhere\) does not exist"),
        (lambda: evaluate({"base": "./nowhere"}, recipe="quickstart"), "./nowhere"),
        (lambda: evaluate({"b": "x"}, recipe="quickstart", adapter="y"), "for a single model"),
        (lambda: check("chain", "nothing", runs=STORED), "'nothing' is neither"),
        (lambda: load("chain", runs=STORED).report("pdf"), "There is no format 'pdf'"),
    ]
    for call, says in wrong:
        with pytest.raises(StageliftError, match=says) as caught:
            call()
        assert "\n" not in str(caught.value), says


def test_a_file_is_written_in_the_format_that_its_name_says(chain: Results, tmp_path: Path) -> None:
    assert chain.save(tmp_path / "new" / "table.csv") == [tmp_path / "new" / "table.csv"]
    assert (tmp_path / "new" / "table.csv").read_text() == chain.report("csv")
    assert chain.save(tmp_path / "page.html")[0].read_text() == chain.report("html")
    words, picture = chain.save(tmp_path / "words.txt", "markdown")
    assert without_picture(words.read_text("utf-8")) == chain.report()
    assert picture == tmp_path / "words.svg" and picture.exists()
    before = set(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match=r"ends in \.pdf, and no report is written so"):
        chain.save(tmp_path / "page.pdf")
    with pytest.raises(UsageError, match=r"ends in \.html, and the format is json"):
        chain.save(tmp_path / "page.html", "json")
    assert set(tmp_path.rglob("*")) == before


def test_an_ending_says_the_format_and_plain_text_says_none() -> None:
    said = {name: format_of(Path(name)) for name in ("a.md", "b.HTM", "c.tex", "d.txt", "e")}
    assert list(said.values()) == [Format.markdown, Format.html, Format.latex, None, None]
    report = build_report([make_chain(base="cw", sft="cc")])
    texts = [render_text(report, form) for form in Format]
    assert len({*texts}) == len(Format) and all(texts)


@pytest.mark.parametrize("name", ["x.pdf", "x.docx", "x.PDF", "x.xlsx", "x.htlm"])
def test_what_no_report_is_written_as_is_never_terminal_text(tmp_path: Path, name: str) -> None:
    for more in ([], ["--format", "terminal"], ["--summary"]):
        place = tmp_path / name
        said = command("report", "chain", "--runs", str(STORED), "--output", str(place), *more)
        assert said.exit_code == 2 and f"ends in {place.suffix}" in said.stderr
        assert not place.exists()


def test_figures_and_report_are_written_by_one_command(tmp_path: Path) -> None:
    place = ["--output", str(tmp_path / "t.tex"), "--figures", str(tmp_path / "figures")]
    said = command("report", "chain", "--runs", str(STORED), *place)
    assert said.exit_code == 0 and said.stdout == ""
    assert "accuracy-by-stage.pdf" in said.stderr
    assert (tmp_path / "figures" / "accuracy-by-stage.svg").exists()
    assert (tmp_path / "t.tex").read_text().startswith("% needs")
    (tmp_path / "file").write_text("")
    said = command("report", "chain", "--runs", str(STORED), "--figures", str(tmp_path / "file"))
    assert said.exit_code == 2 and "is a file. Name a folder." in said.stderr


def test_several_runs_are_compared_with_one_another(tmp_path: Path) -> None:
    for name, answer in (("a", "5"), ("b", "#### 4")):
        rows = [
            {"id": str(i), "prompt": f"prompt {i}", "response": answer, "target": "4"}
            for i in range(40)
        ]
        file = tmp_path / f"{name}.jsonl"
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        done = command(
            "import",
            str(file),
            "--as",
            "responses",
            "--name",
            name,
            "--runs",
            str(tmp_path / "runs"),
        )
        assert done.exit_code == 0, done.output
    found = load("a", "b", runs=tmp_path / "runs").comparisons
    (accuracy,) = found[found["metric"] == "accuracy"].itertuples()
    assert (accuracy.run, accuracy.against_run, accuracy.difference) == ("b", "a", 1.0)
    assert accuracy.verdict == "improved" and accuracy.n == 40


def test_a_check_answers_as_the_command_does(chain: Results) -> None:
    answer = check(chain, STORED / "chain", margins={"accuracy": 50})
    said = command(
        "check",
        str(STORED / "chain"),
        "--baseline",
        str(STORED / "chain"),
        "--margin",
        "accuracy=50",
    )
    assert answer.exit_code == said.exit_code and answer.report("terminal") == said.stdout
    assert str(answer) == said.stdout and answer.reason in said.stdout
    assert "accuracy" in answer.gates["metric"].tolist()
    assert answer.passed == (answer.exit_code == 0)
    other = check("chain", "theirs", runs=STORED)
    assert (other.outcome, other.exit_code, other.passed) == ("not comparable", 4, False)
    assert other.gates.empty and "chain" in other.reason and isinstance(other, Decision)
    loose = check(chain, chain, margins={"accuracy": "0.001 points"}, inconclusive="pass")
    strict = check(chain, chain, margins={"accuracy": "0.001 points"})
    assert loose.exit_code == 0 and strict.exit_code in (0, 3)


def test_a_notebook_shows_a_table_in_which_no_name_acts() -> None:
    one = make_chain("one", base="cw" * 9, sft="cc" * 9)
    two = replace(one, name=HOSTILE, stages=[replace(stage, run=HOSTILE) for stage in one.stages])
    shown = render_notebook(build_report([one, two]))
    assert shown.startswith('<div class="stagelift tex2jax_ignore mathjax_ignore">')
    assert "<script" not in shown and "\x1b" not in shown and shown.count("</table>") == 2
    assert "&lt;script&gt;" in shown and "improved" in shown
    alone = build_report([one])
    assert render_notebook(alone).count("<table>") == 1
    assert "_repr_html_" in dir(Results([Path("x")], alone))


def test_progress_in_a_notebook_is_escaped_and_elsewhere_plain_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    view = NotebookView([HOSTILE])
    assert "&lt;script&gt;" in view.table() and "<script>" not in view.table()
    with open_view(["sft"]) as plain:
        plain.on_event("sft", {"event": "starting", "job": "train"})
    assert capsys.readouterr().out == "sft: starting to train\n"


def test_a_finished_run_is_run_again_without_training(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    runs = copied(finished_run.parent, tmp_path / "runs")
    recipe = read_yaml_file(tiny_recipe_file, "tiny")
    found = run(recipe, runs=runs)
    assert found.names == ["tiny"] and found.report("json") == load("tiny", runs=runs).report(
        "json"
    )
    assert (runs / "tiny" / "report.json").read_text() == found.report("json")
    with pytest.raises(StageliftError, match="tiny"):
        run(recipe, set={"seed": 1}, runs=runs)


@pytest.mark.real
def test_a_model_is_evaluated_from_python(tiny_model: Path, tmp_path: Path) -> None:
    settings = {"evals.accuracy.limit": 4, "evals.accuracy.max_tokens": 8, "evals.preference": {}}
    found = evaluate(
        tiny_model, recipe="quickstart", set=settings, name="raw", runs=tmp_path / "runs"
    )
    assert found.names == ["raw"] and set(found.stages["stage"]) == {"base"}
    assert len(found.problems[found.problems["group"] == "test"]) == 4


@pytest.mark.real
def test_mypy_sees_the_types(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from stagelift import check, load\n"
        "reveal_type(load('a', 'b'))\nreveal_type(check('a', 'b').passed)\nload(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "mine.py", "--follow-imports", "silent"],
        cwd=tmp_path,
        env={"PATH": "", "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert '"stagelift.harness.results.Results"' in done.stdout, done.stdout
    assert '"bool"' in done.stdout and 'incompatible type "int"' in done.stdout
