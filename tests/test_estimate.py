"""Which records an estimate rests on: the node's own, those of the same settings, scaled ones, or
none.
"""

from pathlib import Path
from typing import Any

import pytest

from stagelift.evals.files import write_json, write_text
from stagelift.evals.records import EvalResult, Metric
from stagelift.harness.environment import device_title
from stagelift.harness.forecast.estimate import Estimator
from stagelift.harness.forecast.history import History, read_history
from stagelift.harness.forecast.material import Questions
from stagelift.harness.forecast.work import steps_of
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.stages.settings import config_on_paper
from stagelift.stages.sft import SFT
from tests.records import CONTRACT, make_training
from tests.stored import make_run_file

ASKED = Questions(responses=16, max_tokens=16, prompt_tokens=30)


def plan_of(recipe: Path, *overrides: str) -> Plan:
    return make_plan(load_recipe(str(recipe), list(overrides)))


def node(plan: Plan, name: str) -> Node:
    return next(one for one in plan.nodes if one.name == name)


def write_run(store: Store, plan: Plan, name: str, device: str) -> None:
    """Write what a run leaves of its nodes, trained or not."""
    for one in plan.nodes:
        parent = one.parent.id if one.parent else None
        described = {"id": one.id, "kind": one.kind, "parent": parent, "identity": one.identity}
        write_json(store.node_folder(one).path / "node.json", described)
    nodes = [one.id for one in plan.nodes]
    store.run(name).write(make_run_file(nodes, name=name, device=device))


def write_training(
    store: Store, one: Node, seconds: float, steps: int, gigabytes: float = 2
) -> None:
    record = make_training(one.kind).model_copy(
        update={"seconds": seconds, "steps": steps, "peak_memory_bytes": int(gigabytes * 1e9)}
    )
    write_text(store.node_folder(one).path / "stage.json", record.model_dump_json())


def write_evaluation(store: Store, one: Node, plan: Plan, seconds: float, n: int) -> None:
    accuracy = Metric(value=0.5, low=0.4, high=0.6, n=n)
    record: dict[str, Any] = {
        "contract_id": plan.contract_id,
        "contract": CONTRACT
        | {"engine": plan.contract["engine"], "max_tokens": plan.settings.problems.max_tokens},
        "metrics": {"accuracy": accuracy},
        "outcomes": {},
        "win_tie_loss": {},
        "seconds": seconds,
        "peak_memory_bytes": 10**9,
        "versions": {},
    }
    write_text(
        store.evaluation_folder(one, plan).path / "result.json",
        EvalResult(**record).model_dump_json(),
    )


def estimator(plan: Plan, store: Store, history: History | None = None) -> Estimator:
    found = read_history(store.root, device_title()) if history is None else history
    return Estimator(plan, store, found, ASKED, lambda _: [["Question: 2 + 2?", "4"]] * 10)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_what_is_there_is_measured(tiny_recipe: Path, store: Store) -> None:
    plan = plan_of(tiny_recipe)
    write_training(store, node(plan, "sft"), seconds=12, steps=12)
    write_evaluation(store, node(plan, "sft"), plan, seconds=5, n=12)
    found = estimator(plan, store)
    cost = found.training(node(plan, "sft"))
    assert cost is not None
    assert (cost.seconds, cost.memory_bytes, cost.basis, cost.source) == (
        12,
        2 * 10**9,
        "measured",
        "measured",
    )
    assert found.evaluation(node(plan, "sft")).seconds == 5


def test_other_seeds_and_lora_settings_of_the_same_stage_are_its_records(
    tiny_recipe: Path, store: Store
) -> None:
    for name, override, seconds, memory in (("a", "seed=1", 10, 2), ("b", "lora.r=2", 14, 3)):
        earlier = plan_of(tiny_recipe, override)
        write_run(store, earlier, name, device_title())
        write_training(store, node(earlier, "sft"), seconds, 12, memory)
    plan = plan_of(tiny_recipe)
    cost = estimator(plan, store).training(node(plan, "sft"))
    assert cost is not None
    assert (cost.seconds, cost.low, cost.high, cost.memory_bytes) == (12, 10, 14, 3 * 10**9)
    assert cost.source == "from 2 earlier records"


def test_other_arguments_are_scaled_by_steps_and_sequences(tiny_recipe: Path, store: Store) -> None:
    earlier = plan_of(tiny_recipe)
    write_run(store, earlier, "a", device_title())
    write_training(store, node(earlier, "sft"), seconds=12, steps=12)
    write_training(store, node(earlier, "grpo"), seconds=5, steps=5)
    longer = "stages.sft.args.max_steps=24", "stages.sft.args.per_device_train_batch_size=8"
    plan = plan_of(tiny_recipe, *longer, "stages.grpo.args.max_completion_length=24")
    found = estimator(plan, store)
    sft, grpo = found.training(node(plan, "sft")), found.training(node(plan, "grpo"))
    assert sft is not None and grpo is not None
    assert (sft.seconds, sft.basis, sft.source) == (48, "scaled", "scaled from 1 earlier record")
    assert (grpo.seconds, grpo.basis) == (10, "scaled")


def test_without_records_it_is_a_guess_that_says_so(tiny_recipe: Path, store: Store) -> None:
    plan = plan_of(tiny_recipe)
    found = estimator(plan, store)
    for one in plan.nodes:
        costs = [found.evaluation(one), *([found.training(one)] if one.settings else [])]
        for cost in costs:
            assert cost is not None and cost.memory_bytes is not None
            assert 0 < cost.low < cost.seconds < cost.high
            assert cost.source == "a guess"


def test_nothing_is_said_of_a_training_whose_data_cannot_be_read(
    tiny_recipe: Path, store: Store
) -> None:
    plan = plan_of(tiny_recipe)
    unreachable = Estimator(plan, store, History([], []), ASKED, lambda _: None)
    assert unreachable.training(node(plan, "sft")) is None


def test_an_evaluation_takes_what_others_under_its_contract_took(
    tiny_recipe: Path, store: Store
) -> None:
    earlier = plan_of(tiny_recipe, "seed=1")
    write_run(store, earlier, "a", device_title())
    write_evaluation(store, node(earlier, "base"), earlier, seconds=9, n=16)
    write_evaluation(store, node(earlier, "sft"), earlier, seconds=5, n=16)
    plan = plan_of(tiny_recipe)
    found = estimator(plan, store)
    # of its own kind where there is one
    assert found.evaluation(node(plan, "sft")).seconds == 5
    assert found.evaluation(node(plan, "dpo")).source == "from 2 earlier records"


def test_an_evaluation_under_another_contract_is_scaled_by_what_it_asks(
    tiny_recipe: Path, store: Store
) -> None:
    earlier = plan_of(tiny_recipe, "evals.accuracy.max_tokens=8")
    write_run(store, earlier, "a", device_title())
    write_evaluation(store, node(earlier, "base"), earlier, seconds=4, n=8)
    plan = plan_of(tiny_recipe)
    cost = estimator(plan, store).evaluation(node(plan, "base"))
    # twice the problems, twice the limit
    assert (cost.seconds, cost.basis) == (16, "scaled")


def test_records_of_another_machine_or_shared_with_one_do_not_count(
    tiny_recipe: Path, store: Store
) -> None:
    earlier = plan_of(tiny_recipe, "seed=1")
    write_training(store, node(earlier, "sft"), seconds=12, steps=12)
    write_run(store, earlier, "elsewhere", "Tesla T4")
    assert read_history(store.root, device_title()).trainings == []
    assert len(read_history(store.root, "Tesla T4").trainings) == 1
    write_run(store, earlier, "here", device_title())
    assert read_history(store.root, device_title()).trainings == []


def test_what_cannot_be_read_is_no_record(tiny_recipe: Path, store: Store) -> None:
    earlier = plan_of(tiny_recipe)
    write_run(store, earlier, "a", device_title())
    write_text(store.node_folder(node(earlier, "sft")).path / "stage.json", "{")
    write_text(store.run("b").file, "not JSON")
    write_json(store.run("c").file, {"device": device_title(), "stages": None})
    assert read_history(store.root, device_title()) == History([], [])


def test_epochs_are_counted_in_steps() -> None:
    args = {
        "num_train_epochs": 2,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
    }
    config = config_on_paper(SFT, args)
    # 3 steps see 20 rows
    assert steps_of(config, 20, times=1) == 6
    assert steps_of(config, 20, times=4) == 20
