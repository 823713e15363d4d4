from pathlib import Path

from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe


def plan_of(recipe: Path, *overrides: str) -> Plan:
    return make_plan(load_recipe(str(recipe), list(overrides)))


def test_the_same_recipe_gives_the_same_nodes_whatever_its_name(tiny_recipe: Path) -> None:
    one, other = plan_of(tiny_recipe), plan_of(tiny_recipe, "name=another")
    assert [node.id for node in one.nodes] == [node.id for node in other.nodes]
    assert one.contract_id == other.contract_id


def test_a_change_reaches_the_stage_and_what_follows_it_only(tiny_recipe: Path) -> None:
    one, other = plan_of(tiny_recipe), plan_of(tiny_recipe, "stages.dpo.args.learning_rate=2e-3")
    same = [a.id == b.id for a, b in zip(one.nodes, other.nodes, strict=True)]
    assert same == [True, True, False, False]


def test_seed_and_lora_change_every_trained_node_but_not_base(tiny_recipe: Path) -> None:
    one = plan_of(tiny_recipe)
    for override in ("seed=1", "lora.r=2"):
        other = plan_of(tiny_recipe, override)
        assert [a.id == b.id for a, b in zip(one.nodes, other.nodes, strict=True)] == [
            True,
            False,
            False,
            False,
        ]


def test_what_is_measured_is_the_contract_not_the_node(tiny_recipe: Path) -> None:
    one, other = plan_of(tiny_recipe), plan_of(tiny_recipe, "evals.accuracy.max_tokens=8")
    assert [node.id for node in one.nodes] == [node.id for node in other.nodes]
    assert one.contract_id != other.contract_id


def test_a_kind_that_comes_twice_has_two_names(tiny_recipe: Path) -> None:
    text = tiny_recipe.read_text().replace("  - dpo:", "  - sft: {args: {max_steps: 1}}\n  - dpo:")
    tiny_recipe.write_text(text)
    assert [node.name for node in plan_of(tiny_recipe).nodes] == [
        "base",
        "sft",
        "sft-2",
        "dpo",
        "grpo",
    ]


def test_swapped_columns_are_another_contract(tiny_recipe: Path) -> None:
    swapped = "evals.preference.prompts.columns={chosen: rejected, rejected: chosen}"
    assert plan_of(tiny_recipe).contract_id != plan_of(tiny_recipe, swapped).contract_id


def test_a_checkpoint_is_a_node_of_its_own_that_stages_go_on_from(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    plan = plan_of(tiny_recipe, f"checkpoint={{adapter: {tmp_path.as_posix()}}}")
    assert [node.name for node in plan.nodes] == ["base", "checkpoint", "sft", "dpo", "grpo"]
    assert plan.nodes[0].id == plan_of(tiny_recipe).nodes[0].id
    assert plan.nodes[2].id != plan_of(tiny_recipe).nodes[1].id
