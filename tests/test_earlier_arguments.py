"""Nodes that were trained when saving and logging were still part of what a node is."""

import json
import shutil
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from stagelift.harness.cli import app
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.prune import find_unneeded
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import train_job
from stagelift.harness.workers.artefacts import node_folder
from stagelift.stages.arguments import CHANGE_NOTHING, arguments_that_train
from stagelift.stages.kinds import KINDS
from tests.as_of_today import call_the_engine_as_today, call_the_problems_as_today

DATA = Path(__file__).parent / "data"
# as the code of before would name them with today's problems: `saving` saved every step, `seldom`
# every second one
SAVING = {"sft": "sft-3876f0252633d6ae", "dpo": "dpo-90c71a94cff910a2"}
SELDOM = {"sft": "sft-016967c3bd7a9565", "dpo": "dpo-4ce637b4b3bee063"}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Two runs of earlier code whose SFT stages differ in `save_steps` only, to work in."""
    shutil.copytree(DATA / "earlier_arguments", tmp_path / "earlier")
    shutil.copytree(DATA / "earlier" / "model", tmp_path / "earlier" / "model")
    (tmp_path / "earlier" / "stored").rename(tmp_path / "earlier" / "runs")
    monkeypatch.chdir(tmp_path / "earlier")
    call_the_problems_as_today(Path("runs"))
    call_the_engine_as_today(Path("runs"))
    for run in ("saving", "seldom"):
        # answers are read otherwise than then: an evaluation is of one reading
        assert stagelift("rescore", run).exit_code == 0
    return Store(Path("runs"))


def stagelift(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def plan_of(*overrides: str) -> Plan:
    return make_plan(load_recipe("saving.yaml", list(overrides)))


def named(plan: Plan, name: str) -> Node:
    return next(node for node in plan.nodes if node.name == name)


def places(plan: Plan, store: Store) -> dict[str, str]:
    """Where the trained nodes of a plan lie."""
    nodes = [node for node in plan.nodes if node.settings is not None]
    return {node.name: store.node_folder(node).name for node in nodes}


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, without locks."""
    found = [file for file in folder.rglob("*") if file.is_file() and file.name != ".lock"]
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in found}


@pytest.mark.usefixtures("store")
def test_how_often_a_stage_is_saved_does_not_make_it_another() -> None:
    often, seldom = plan_of(), plan_of("stages.sft.args.save_steps=2")
    plain = plan_of(
        "stages.sft.args={max_steps: 2, per_device_train_batch_size: 2, learning_rate: 1e-2}"
    )
    ids = [node.id for node in often.nodes]
    assert ids == [node.id for node in seldom.nodes] == [node.id for node in plain.nodes]
    assert named(often, "sft").id not in (SAVING["sft"], SELDOM["sft"])
    assert plan_of("stages.sft.args.learning_rate=1e-3").nodes[1].id != ids[1]


def test_each_stored_run_finds_its_own_nodes(store: Store) -> None:
    assert places(plan_of(), store) == SAVING
    assert places(plan_of("stages.sft.args.save_steps=2"), store) == SELDOM


def test_other_arguments_that_change_nothing_find_them_too(store: Store) -> None:
    for overrides in (["stages.sft.args.save_steps=3"], ["stages.dpo.args.logging_steps=5"]):
        plan = plan_of(*overrides)
        lie = places(plan, store)
        assert all(lie[stage] in (SAVING[stage], SELDOM[stage]) for stage in ("sft", "dpo"))
        assert not store.missing_work(plan)


@pytest.mark.parametrize(
    "run", [["--name", "saving"], ["--name", "seldom", "--set", "stages.sft.args.save_steps=2"]]
)
def test_a_finished_run_stays_as_it_is_to_the_byte(store: Store, run: list[str]) -> None:
    name = run[1]
    before = files(store.nodes) | files(store.run(name).path)
    result = stagelift("run", "saving.yaml", *run)
    assert result.exit_code == 0, result.output
    after = files(store.nodes) | files(store.run(name).path)
    assert after == before


def test_a_run_that_is_new_trains_nothing_again(store: Store) -> None:
    before = {path.name for path in store.nodes.iterdir()}
    asked = ["saving.yaml", "--name", "new", "--set", "stages.sft.args.save_steps=1"]
    planned = stagelift("plan", *asked, "--format", "json")
    assert planned.exit_code == 0, planned.output
    jobs = [job for node in json.loads(planned.stdout)["nodes"] for job in node["jobs"]]
    assert jobs and all(job["done"] for job in jobs)
    result = stagelift("run", *asked, "--dry-run")
    assert result.exit_code == 0 and result.stdout.count("trained") >= 2, result.output
    result = stagelift("run", *asked)
    assert result.exit_code == 0, result.output
    assert "starting to train" not in result.output
    assert {path.name for path in store.nodes.iterdir()} == before
    assert [stage.node for stage in store.run("new").read().stages][1:] == [
        f"nodes/{name}" for name in SAVING.values()
    ]


def test_a_stage_on_top_of_one_is_trained_on_its_adapter_and_keeps_it_from_pruning(
    store: Store,
) -> None:
    plan = plan_of("stages.dpo.args.beta=0.3")
    sft, dpo = named(plan, "sft"), named(plan, "dpo")
    assert store.is_trained(sft) and not store.is_trained(dpo)
    assert store.node_folder(dpo).name == dpo.id
    job = train_job(dpo, store)
    assert job.parent.adapter == str(store.node(SAVING["sft"]).adapter)
    assert node_folder(job) == f"nodes/{dpo.id}"
    shutil.rmtree(store.run("saving").path)
    unneeded = {each.folder.name for each in find_unneeded(store).unneeded}
    assert unneeded == set(SAVING.values())


def test_a_node_whose_training_never_ended_is_not_taken_for_it(store: Store) -> None:
    for name in (SAVING["sft"], SELDOM["sft"]):
        (store.node(name).path / "stage.json").unlink()
    plan = plan_of()
    assert store.node_folder(named(plan, "sft")).name == named(plan, "sft").id


def test_only_what_reports_saves_or_publishes_is_left_out() -> None:
    args = {"beta": 0.1, "save_steps": 5, "report_to": "wandb", "run_name": "x", "hub_token": "t"}
    assert arguments_that_train(args) == {"beta": 0.1}
    best = {"save_strategy": "best", "load_best_model_at_end": True}
    assert arguments_that_train(best) == best
    assert arguments_that_train({"save_strategy": "no", "log_completions": True}) == {
        "log_completions": True
    }


def test_where_a_stage_ends_when_ill_what_it_logs_and_saves_is_part_of_it() -> None:
    args = {"logging_steps": 1, "save_steps": 5, "save_strategy": "steps", "report_to": "wandb"}
    assert arguments_that_train(args, stop_when_ill=True) == {
        "logging_steps": 1,
        "save_steps": 5,
        "save_strategy": "steps",
    }
    assert arguments_that_train(args) == {}


def test_every_argument_that_is_left_out_is_one_of_trls() -> None:
    import trl

    known = {field.name for kind in KINDS for field in fields(getattr(trl, kind.config))}
    assert known >= CHANGE_NOTHING


def test_a_record_that_names_itself_as_its_ancestor_is_no_endless_search(store: Store) -> None:
    file = store.node(SAVING["sft"]).path / "node.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "parent": SAVING["sft"]}))
    assert places(plan_of("stages.sft.args.save_steps=2"), store)["sft"] == SELDOM["sft"]
