"""Runs that earlier code stored are found, reported to the byte, checked and read again."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stagelift.harness.cli import app
from stagelift.harness.listing import listed_runs
from stagelift.harness.outputs import write_outputs
from tests.as_of_today import call_the_engine_as_today, call_the_problems_as_today

EARLIER = Path(__file__).parent / "data" / "earlier"
RUNS = ["chain", "study", "theirs"]
REPORTS = ["report.md", "report.svg", "report.html", "report.json", "report.txt", "summary.md"]


@pytest.fixture
def earlier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder that the runs were made in, to work in."""
    shutil.copytree(EARLIER, tmp_path / "earlier")
    (tmp_path / "earlier" / "stored").rename(tmp_path / "earlier" / "runs")
    monkeypatch.chdir(tmp_path / "earlier")
    # a terminal's width, which a test runner may set
    monkeypatch.delenv("COLUMNS", raising=False)
    return tmp_path / "earlier"


def stagelift(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, without locks and logs."""
    found = [file for file in folder.rglob("*") if file.is_file()]
    kept = [file for file in found if file.name != ".lock" and file.suffix != ".log"]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in kept}


def written(run: Path) -> dict[str, bytes]:
    """Every report of a run, made anew."""
    write_outputs(run)
    terminal = stagelift("report", run.name, "--full").stdout
    summary = stagelift("report", run.name, "--summary").stdout
    (run / "report.txt").write_text(terminal, encoding="utf-8", newline="\n")
    (run / "summary.md").write_text(summary, encoding="utf-8", newline="\n")
    return {name: (run / name).read_bytes() for name in REPORTS}


@pytest.mark.parametrize("run", RUNS)
def test_a_stored_run_is_reported_to_the_byte(earlier: Path, run: str) -> None:
    before = {name: (EARLIER / "stored" / run / name).read_bytes() for name in REPORTS}
    for name in REPORTS:
        (earlier / "runs" / run / name).unlink()
    assert written(earlier / "runs" / run) == before


def test_a_study_that_was_left_half_done_says_how_many_of_its_models_there_are(
    earlier: Path,
) -> None:
    assert "a study: 5 models in 4 chains" in stagelift("runs").stdout
    # as it was before its last training was done
    file = earlier / "runs" / "study" / "run.json"
    run_so_far = {**json.loads(file.read_text(encoding="utf-8")), "finished": False}
    file.write_text(json.dumps(run_so_far), encoding="utf-8")
    shutil.rmtree(earlier / "runs" / run_so_far["stages"][-1]["node"])
    said = stagelift("runs").stdout
    assert "a study: 4 of 5 models in 4 chains" in said and "missing: 1 model" in said
    (run,) = [one for one in listed_runs(earlier / "runs") if one.name == "study"]
    assert run.record is not None and run.record.missing == ["r=4,seed=1/sft"]


@pytest.mark.parametrize("run", ["chain", "study"])
def test_every_node_of_a_stored_run_is_found(earlier: Path, run: str) -> None:
    """What it is asked may have changed since, and then it is evaluated again: never trained.

    GRPO is: its reward reads answers, so with another reading it is another training. Other
    problems are another training, too.
    """
    call_the_problems_as_today(earlier / "runs")
    stages = json.loads((earlier / "runs" / run / "run.json").read_text(encoding="utf-8"))["stages"]
    said, _ = stagelift("run", f"{run}.yaml", "--dry-run").stdout.split("\n\nWhat tokens see:")
    stages = [stage for stage in stages if not stage["node"].startswith("nodes/grpo-")]
    nodes = [line for line in said.splitlines()[1:] if ": grpo-" not in line]
    found = [Path(stage["node"]).name for stage in stages]
    assert [line.split(": ")[1].split(", ")[0] for line in nodes] == found
    assert [line.split(", ")[1] for line in nodes[1:]] == ["trained"] * len(found[1:])


@pytest.mark.real
def test_a_stored_run_of_unchanged_problems_is_done(earlier: Path) -> None:
    """Read as answers are read today, nothing is trained or asked, and nothing is written anew."""
    call_the_problems_as_today(earlier / "runs")
    call_the_engine_as_today(earlier / "runs")
    again = stagelift("rescore", "study")
    assert again.exit_code == 0, again.output
    before = files(earlier / "runs")
    result = stagelift("run", "study.yaml")
    assert result.exit_code == 0, result.output
    assert files(earlier / "runs") == before


def test_a_stored_baseline_is_read_with_a_note_and_can_be_blessed_again(earlier: Path) -> None:
    result = stagelift("check", "chain", "--baseline", "main")
    # eight problems prove nothing
    assert result.exit_code == 3
    assert result.stdout == (earlier / "check.txt").read_text(encoding="utf-8")
    again = stagelift("baseline", "set", str(earlier / "baselines" / "main" / "0001.json"))
    assert again.exit_code == 0, again.output
    assert "earlier" not in stagelift("check", "chain", "--baseline", "main").stdout


@pytest.mark.parametrize("run", RUNS)
def test_a_stored_run_is_read_again_as_it_was(earlier: Path, run: str) -> None:
    before = json.loads((earlier / "runs" / run / "run.json").read_text(encoding="utf-8"))
    result = stagelift("rescore", run)
    assert result.exit_code == 0, result.output
    after = json.loads((earlier / "runs" / run / "run.json").read_text(encoding="utf-8"))
    assert _places(after["stages"]) == _places(before["stages"])


def _places(stages: list[dict[str, str]]) -> list[dict[str, str]]:
    """Stages without the names of their evaluations, which say how answers were read."""
    return [{**stage, "evaluation": Path(stage["evaluation"]).parent.name} for stage in stages]


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    shutil.copytree(EARLIER, folder)
    (folder / "stored").rename(folder / "runs")
    os.chdir(folder)
    for name in RUNS:
        for report, text in written(folder / "runs" / name).items():
            (EARLIER / "stored" / name / report).write_bytes(text)
    for card in (folder / "runs").glob("nodes/*/adapter/README.md"):
        (EARLIER / "stored" / card.relative_to(folder / "runs")).write_bytes(card.read_bytes())
