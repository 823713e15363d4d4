"""Trackers get what was logged and measured, each step once, and are never in a run's way."""

import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from stagelift.evals.files import append_records, write_records
from stagelift.harness.cli import app
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.progress import LiveView, PlainView
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.trackers.following import following, short_reason, tracked_stages
from stagelift.harness.trackers.known import KNOWN
from stagelift.harness.trackers.on_disk import LoggedPoints
from stagelift.harness.trackers.tracker import TrackedStage, fit_name
from stagelift.harness.trackers.writing import TrackingJob, Writer
from stagelift.harness.trackers.written import read_written
from stagelift.reports.folders import RunFolder
from stagelift.stages.folders import NodeFolder
from stagelift.stages.records import LogRow
from stagelift.stages.report_to import TRACKERS, read_report_to
from tests.shared import copied
from tests.sources import ROOT
from tests.unhashed import without

Points = list[tuple[int, float]]


@pytest.mark.parametrize(
    ("written", "trackers"),
    [
        (None, ()),
        ("none", ()),
        (["none"], ()),
        ([], ()),
        ("wandb", ("wandb",)),
        (["mlflow", "tensorboard", "mlflow"], ("mlflow", "tensorboard")),
        ("all", TRACKERS),
        (["all"], TRACKERS),
    ],
)
def test_report_to_is_read_as_transformers_takes_it(
    written: Any, trackers: tuple[str, ...]
) -> None:
    assert read_report_to(written) == trackers


def test_every_tracker_that_can_be_named_can_be_written_to() -> None:
    assert tuple(KNOWN) == TRACKERS


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("tensorbord", "Did you mean 'tensorboard'?"),
        ("wandb,mlflow", "several are a list"),
        ("comet_ml", "stagelift reports to tensorboard, mlflow, wandb and trackio"),
        (["all", "wandb"], "Write report_to: all alone"),
        ([3], "report_to names 3"),
        (3, "report_to is 3"),
        ({"wandb": True}, "report_to is {'wandb': True}"),
    ],
)
def test_what_is_no_tracker_is_refused_in_a_sentence(written: Any, says: str) -> None:
    with pytest.raises(ValueError, match="report_to") as refusal:
        read_report_to(written)
    assert says in str(refusal.value)


# -S: without what is installed
NOT_INSTALLED = """
import sys
sys.path.insert(0, sys.argv[1])
from stagelift.stages.report_to import read_report_to
for written in ("mlflow", "all"):
    try:
        read_report_to(written)
    except ValueError as error:
        print(error)
"""


def test_a_tracker_that_is_not_installed_is_refused_with_what_to_install(tmp_path: Path) -> None:
    # what W&B writes where one works is no library
    (tmp_path / "wandb").mkdir()
    command = [sys.executable, "-S", "-c", NOT_INSTALLED, str(ROOT)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "report_to names 'mlflow', which is not installed. Install it with `pip install mlflow`, "
        "or leave it out.",
        "report_to is 'all', and none of tensorboard, mlflow, wandb and trackio is installed. "
        "Install one of them with `pip install tensorboard`, or leave report_to out.",
    ]


@pytest.fixture
def stagelift(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.mark.parametrize(
    ("override", "says"),
    [
        ("report_to=tensorbord", "Did you mean 'tensorboard'?"),
        ("stages.dpo.args.report_to=neptune", "In stage 'dpo', report_to names 'neptune'"),
        (
            "variants=[{lora.r: 4, stages.sft.args.report_to: foo}, {lora.r: 8}]",
            "In stage 'sft', report_to names 'foo'",
        ),
        ("stages.sft.args.push_to_hub=true", "`stagelift push RUN --stage STAGE --to NAME`"),
        ("stages.sft.args.hub_token=hf_x", "holds a credential"),
        ("stages.grpo.args.log_completions_hub_repo=me/x", "nothing is uploaded while a stage"),
        ("stages.grpo.args.trackio_space_id=me/x", "`trackio sync` uploads"),
    ],
)
def test_what_cannot_be_reported_is_refused_before_anything_is_written(
    stagelift: Callable[..., Result], tiny_recipe: Path, tmp_path: Path, override: str, says: str
) -> None:
    before = set(tmp_path.rglob("*"))
    result = stagelift("run", str(tiny_recipe), "--set", override)
    assert result.exit_code == 2 and says in result.stderr
    assert set(tmp_path.rglob("*")) == before


def test_arguments_of_publishing_that_ask_for_nothing_are_taken(
    stagelift: Callable[..., Result], tiny_recipe: Path
) -> None:
    nothing = ["--set", "stages.sft.args.push_to_hub=false"]
    assert stagelift("run", str(tiny_recipe), "--dry-run", *nothing).exit_code == 0


def test_a_judges_training_is_reported_to_no_tracker(
    stagelift: Callable[..., Result], tiny_model: Path
) -> None:
    words = ["judge", "train", "--model", str(tiny_model), "--output", "judge"]
    result = stagelift(*words, "--set", "report_to=tensorboard")
    assert result.exit_code == 2 and "report_to is 'tensorboard'" in result.stderr


def stages_of(recipe: Path, *overrides: str) -> dict[str, TrackedStage]:
    plan = make_plan(load_recipe(str(recipe), list(overrides)))
    return {stage.stage: stage for stage in tracked_stages(plan, Store(Path("runs")))}


def test_a_stage_names_its_own_trackers_or_has_the_recipes(tiny_recipe: Path) -> None:
    named = stages_of(tiny_recipe, "report_to=tensorboard", "stages.dpo.args.report_to=none")
    assert {name: stage.trackers for name, stage in named.items()} == dict.fromkeys(
        ("base", "sft", "grpo"), ("tensorboard",)
    )


def test_base_is_reported_wherever_a_stage_is(tiny_recipe: Path) -> None:
    alone = stages_of(tiny_recipe, "stages.sft.args.report_to=[mlflow]")
    assert {name: stage.trackers for name, stage in alone.items()} == {
        "base": ("mlflow",),
        "sft": ("mlflow",),
    }
    assert stages_of(tiny_recipe) == {}


def test_trackers_know_a_stage_by_run_and_stage_and_its_settings(tiny_recipe: Path) -> None:
    stages = stages_of(tiny_recipe, "report_to=wandb", "stages.dpo.args.run_name=mine")
    assert stages["sft"].name == "tiny/sft" and stages["dpo"].name == "mine"
    settings = stages["sft"].settings
    assert (settings["lora.r"], settings["args.max_steps"], settings["seed"]) == (4, 12, 0)


def test_where_it_is_reported_changes_neither_nodes_nor_the_run(tiny_recipe: Path) -> None:
    plain = load_recipe(str(tiny_recipe), [])
    overrides = ["report_to=all", "stages.sft.args.report_to=wandb", "stages.sft.args.run_name=x"]
    reported = load_recipe(str(tiny_recipe), overrides)
    assert reported.identity() == plain.identity()
    assert [n.id for n in make_plan(reported).nodes] == [n.id for n in make_plan(plain).nodes]


@pytest.mark.parametrize(
    "reported",
    [
        "{lora.r: 4, stages.sft.args.report_to: wandb}",
        "{lora.r: 4, stages.sft.args: {run_name: x}}",
        "{lora.r: 4, stages.sft: {args: {project: x}}}",
    ],
)
def test_where_a_variant_is_reported_changes_no_run(tiny_recipe: Path, reported: str) -> None:
    variants = f"variants=[{reported}, {{lora.r: 8}}]"
    stored = load_recipe(str(tiny_recipe), [variants]).identity()["variants"]
    assert stored[1] == {"lora.r": 8}
    assert not any(word in str(stored) for word in ("report_to", "run_name", "project"))


def test_a_run_that_was_begun_with_another_tracker_goes_on(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path, stagelift: Callable[..., Result]
) -> None:
    copied(finished_run.parent, tmp_path / "runs")
    file = tmp_path / "runs" / "tiny" / "run.json"
    run = json.loads(file.read_text())
    run["recipe"]["stages"][0]["args"]["report_to"] = "comet_ml"
    file.write_text(json.dumps(run))
    without(file, "sha256")
    assert stagelift("run", str(tiny_recipe_file), "--dry-run").exit_code == 0


def scalars(folder: Path) -> dict[str, Points]:
    """Read every curve of a folder as TensorBoard does."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def row(step: int, **logs: float) -> LogRow:
    return LogRow(step=step, seconds=step, tokens=step, peak_memory_bytes=1, logs=logs)


def one_stage(tmp_path: Path, *trackers: str, node: Path | None = None) -> TrackedStage:
    folder = node or tmp_path / "nodes" / "sft-0123456789abcdef"
    evaluation = next((folder / "evals").glob("*/result.json"), folder / "evals/none/result.json")
    return TrackedStage(
        run="r",
        run_folder=str(tmp_path / "r"),
        stage="a=1/sft",
        name="r/sft",
        project="r",
        node=str(folder),
        evaluation=str(evaluation.parent),
        trackers=trackers,
        settings={"seed": 0},
    )


def writer(stage: TrackedStage, events: io.StringIO | None = None) -> Writer:
    job = TrackingJob(run_folder=stage.run_folder, stages=(stage,))
    return Writer(job, events or io.StringIO())


def test_a_killed_training_that_goes_on_is_written_without_a_step_twice(tmp_path: Path) -> None:
    stage = one_stage(tmp_path, "tensorboard")
    log = NodeFolder(Path(stage.node)).log_rows
    append_records(log, [row(step, loss=float(step)) for step in (1, 2, 3)])
    # killed while it wrote a line, and the tracker's process with it
    with log.open("a") as file:
        file.write('{"step": 4, "sec')
    writer(stage).look()
    # from the checkpoint of step 2 on
    write_records(log, [row(1, loss=1.0), row(2, loss=2.0)])
    again = writer(stage)
    again.look()
    for step in (3, 4, 5):
        append_records(log, [row(step, loss=float(step))])
        again.look()
    again.close()
    curve = scalars(tmp_path / "r" / "tensorboard" / "a=1" / "sft")["train/loss"]
    assert curve == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0)]
    assert [run.step for run in read_written(tmp_path / "r" / "trackers.json")] == [5]


def test_what_a_stage_measured_is_written_at_its_last_step_with_intervals(
    finished_run: Path, tmp_path: Path
) -> None:
    node = next((finished_run.parent / "nodes").glob("dpo-*"))
    stage = one_stage(tmp_path, "tensorboard", node=node)
    writer(stage).look()
    folder = RunFolder(tmp_path / "r").tensorboard / "a=1" / "sft"
    curves, first = scalars(folder), sorted(folder.iterdir())
    measured = json.loads((Path(stage.evaluation) / "result.json").read_text())["metrics"]
    for name in ("accuracy", "length_tokens", "win_rate_previous", "sums/acc"):
        metric, shown = measured[name], f"eval/{name}"
        assert curves[shown] == [(6, pytest.approx(metric["value"]))]
        assert curves[f"{shown}_low"] == [(6, pytest.approx(metric["low"]))]
        assert curves[f"{shown}_high"] == [(6, pytest.approx(metric["high"]))]
        assert curves[f"{shown}_n"] == [(6, metric["n"])]
    assert [step for step, _ in curves["train/loss"]] == [1, 2, 3, 4, 5, 6]
    # all is there: the next call opens nothing
    writer(stage).look()
    assert sorted(folder.iterdir()) == first


def test_curves_that_were_deleted_are_written_again(tmp_path: Path) -> None:
    stage = one_stage(tmp_path, "tensorboard")
    log = NodeFolder(Path(stage.node)).log_rows
    append_records(log, [row(1, loss=1.0)])
    writer(stage).look()
    shutil.rmtree(tmp_path / "r" / "tensorboard")
    append_records(log, [row(2, loss=2.0)])
    writer(stage).look()
    curves = scalars(tmp_path / "r" / "tensorboard" / "a=1" / "sft")
    assert curves == {"train/loss": [(1, 1.0), (2, 2.0)]}


def test_a_run_of_wandb_that_is_gone_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = one_stage(tmp_path, "wandb")
    first = KNOWN["wandb"](stage, None)
    first.log(1, {"train/loss": 1.0})
    first.close(finished=False)
    second = KNOWN["wandb"](stage, first.id)
    second.close(finished=False)
    shutil.rmtree(tmp_path / "wandb")
    third = KNOWN["wandb"](stage, first.id)
    third.close(finished=True)
    assert (second.id, second.goes_on, third.goes_on) == (first.id, True, False)


def test_curves_of_a_node_that_is_no_longer_the_stages_go(tmp_path: Path) -> None:
    first = one_stage(tmp_path, "tensorboard")
    other = one_stage(tmp_path, "tensorboard", node=tmp_path / "nodes" / "sft-another")
    for stage, loss in ((first, 1.0), (other, 2.0)):
        append_records(NodeFolder(Path(stage.node)).log_rows, [row(1, loss=loss)])
        writer(stage).look()
    curves = scalars(tmp_path / "r" / "tensorboard" / "a=1" / "sft")
    assert curves == {"train/loss": [(1, 2.0)]}


def test_a_tracker_that_fails_is_said_once_and_the_others_get_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # a file where the user's folder should be
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "file"))
    stage = one_stage(tmp_path, "tensorboard")
    append_records(NodeFolder(Path(stage.node)).log_rows, [row(1, loss=1.0)])
    events = io.StringIO()
    failing = writer(stage, events)
    for _ in range(3):
        failing.look()
    failing.close()
    (said,) = map(json.loads, events.getvalue().splitlines())
    assert said["tracker"] == "tensorboard" and "NotADirectoryError" in said["error"]


def test_the_store_that_is_here_is_one_however_it_is_spelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for spelled in ("", "sqlite:///mlflow.db", f"sqlite:///{tmp_path}/mlflow.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", spelled)
        assert KNOWN["mlflow"].place() == ""
    (tmp_path / "mlruns" / "0").mkdir(parents=True)
    (tmp_path / "mlruns" / "0" / "meta.yaml").write_text("")
    for spelled in ("", "./mlruns", f"file://{tmp_path}/mlruns/"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", spelled)
        assert KNOWN["mlflow"].place() == ""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert KNOWN["mlflow"].place() == "sqlite:///mlflow.db"


@pytest.mark.parametrize("elsewhere", ["sqlite:///other.db", "http://localhost:5000"])
def test_a_store_elsewhere_is_another(monkeypatch: pytest.MonkeyPatch, elsewhere: str) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"{elsewhere}/")
    assert KNOWN["mlflow"].place() == elsewhere


def test_a_run_of_wandb_is_one_offline_and_online(monkeypatch: pytest.MonkeyPatch) -> None:
    for mode in ("offline", "online"):
        monkeypatch.setenv("WANDB_MODE", mode)
        assert KNOWN["wandb"].place() == ""


def test_ctrl_c_says_how_long_trackers_have(tiny_recipe: Path, tmp_path: Path) -> None:
    plan = make_plan(load_recipe(str(tiny_recipe), ["report_to=tensorboard"]))
    store, said = Store(tmp_path / "runs"), []
    store.run("tiny").path.mkdir(parents=True)
    with (
        pytest.raises(KeyboardInterrupt),
        following(plan, store, lambda _, event: said.append(event)),
    ):
        raise KeyboardInterrupt
    assert said[0]["text"] == "Trackers have 5 s for what is left."


def test_what_a_library_says_ends_at_a_word_and_without_a_full_stop() -> None:
    assert short_reason("OSError: the disk\nis full.") == "OSError: the disk is full"
    long = short_reason("several " * 100)
    assert len(long) <= 300 and long.endswith("several")


def test_points_are_read_on_and_names_fit_every_tracker(tmp_path: Path) -> None:
    stage = one_stage(tmp_path, "tensorboard")
    logged = LoggedPoints(stage)
    assert logged.read() == []
    append_records(NodeFolder(Path(stage.node)).log_rows, [row(1, **{"reward(a)": 1.0})])
    (point,) = logged.read()
    assert (point.step, point.values) == (1, {"train/reward_a_": 1.0})
    assert fit_name("mmlu:acc,none") == "mmlu:acc_none"


def test_completions_that_were_logged_stay_when_checkpoints_go(tmp_path: Path) -> None:
    node = NodeFolder(tmp_path)
    (node.checkpoints / "completions").mkdir(parents=True)
    (node.checkpoints / "completions" / "completions_00001.parquet").write_bytes(b"rows")
    node.drop_checkpoints()
    assert not node.checkpoints.exists()
    assert (node.completions / "completions_00001.parquet").read_bytes() == b"rows"


def test_views_say_a_note_and_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    note = {"event": "note", "text": "mlflow failed\x1b[2J"}
    for view in (PlainView(), LiveView(["base"])):
        with view:
            view.on_event("", note)
        said = capsys.readouterr().out
        assert "Note: mlflow failed" in said and "\x1b[2J" not in said
