"""Which chains a recipe asks for, what they are called, what they share, and a real study that adds
to a finished run.
"""

import json
from pathlib import Path

import pytest

from stagelift.evals.files import read_records
from stagelift.evals.records import Score
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import as_written, load_recipe
from stagelift.harness.recipes.sections import Recipe
from stagelift.harness.recipes.study import reference_variant, wanted_chains
from stagelift.reports.records import read_run
from stagelift.reports.report import build_report
from tests.in_process import run_recipe
from tests.processes import finish, start
from tests.shared import copied


def recipe_of(*overrides: str) -> Recipe:
    return load_recipe("quickstart", list(overrides))


def labels(*overrides: str) -> list[str]:
    return [",".join(chain.labels) for chain in wanted_chains(recipe_of(*overrides))]


def test_a_plain_recipe_is_one_chain() -> None:
    (chain,) = wanted_chains(recipe_of())
    assert (chain.labels, chain.slots, chain.recipe) == ((), ("sft", "dpo", "grpo"), recipe_of())


@pytest.mark.parametrize(
    ("variants", "names"),
    [
        ("{lora.r: [4, 16]}", ["r=4", "r=16"]),
        ("{lora.r: [4, 8], lora.lora_alpha: [8]}", ["r=4,lora_alpha=8", "r=8,lora_alpha=8"]),
        (
            "{stages.sft.args.learning_rate: [1e-3], stages.dpo.args.learning_rate: [1e-5, 1e-4]}",
            [
                "sft.learning_rate=0.001,dpo.learning_rate=1e-05",
                "sft.learning_rate=0.001,dpo.learning_rate=0.0001",
            ],
        ),
        (
            "{lora.target_modules: [all-linear, [q_proj, v_proj]]}",
            ["target_modules=all-linear", "target_modules=q_proj+v_proj"],
        ),
        ("{lora.use_rslora: [true]}", ["use_rslora=true"]),
        ("{stages: [[sft], [sft, dpo]]}", ["stages=sft", "stages=sft+dpo"]),
        ("[{name: small, lora.r: 4}, {lora.r: 16}]", ["small", "r=16"]),
        ("[{lora.r: 4, stages.sft.args.run_name: x}, {lora.r: 16}]", ["r=4", "r=16"]),
    ],
)
def test_a_grid_or_a_list_names_its_variants(variants: str, names: list[str]) -> None:
    assert labels(f"variants={variants}") == names


def test_a_variant_is_the_recipe_with_its_settings() -> None:
    chains = wanted_chains(recipe_of("variants={lora.r: [4], stages.dpo.args.beta: [0.3]}"))
    recipe = chains[0].recipe
    assert (recipe.lora["r"], recipe.lora["lora_alpha"], recipe.stages[1].args["beta"]) == (
        4,
        32,
        0.3,
    )
    assert recipe.variants == [] and recipe.stages[0] == recipe_of().stages[0]


def test_a_variant_reaches_the_second_stage_of_a_kind_by_its_name() -> None:
    variants = "{stages.sft-2.args.max_steps: [9, 10], stages.sft-2.lora.r: [2]}"
    chains = wanted_chains(recipe_of("stages=[sft, dpo, sft]", f"variants={variants}"))
    assert [chain.variant for chain in chains] == [
        "sft-2.max_steps=9,sft-2.r=2",
        "sft-2.max_steps=10,sft-2.r=2",
    ]
    first, _, second = chains[1].recipe.stages
    assert (first.args, second.args, second.lora) == ({}, {"max_steps": 10}, {"r": 2})
    assert chains[1].slots == ("sft", "dpo", "sft-2")


def test_seeds_multiply_variants() -> None:
    assert labels("variants={lora.r: [4, 16]}", "seeds=[0, 7]") == [
        "r=4,seed=0",
        "r=4,seed=7",
        "r=16,seed=0",
        "r=16,seed=7",
    ]
    assert [chain.recipe.seed for chain in wanted_chains(recipe_of("seeds=[3, 5]"))] == [3, 5]


def test_a_lattice_has_every_subset_in_the_recipes_order() -> None:
    assert [chain.slots for chain in wanted_chains(recipe_of("lattice=true"))] == [
        (),
        ("sft",),
        ("dpo",),
        ("grpo",),
        ("sft", "dpo"),
        ("sft", "grpo"),
        ("dpo", "grpo"),
        ("sft", "dpo", "grpo"),
    ]


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        # the recipe as it is
        (["variants={lora.r: [4, 16]}"], "r=16"),
        (["variants={lora.r: [4, 8]}"], "r=4"),
        (["variants={lora.r: [4, 8]}", "reference=r=8"], "r=8"),
        ([], None),
    ],
)
def test_the_reference_is_named_or_the_recipe_as_it_is_or_the_first(
    overrides: list[str], name: str | None
) -> None:
    assert reference_variant(recipe_of(*overrides)) == name


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["variants={evals.accuracy.limit: [8]}"],
            "cannot vary 'evals.accuracy.limit': variants must be measured the same",
        ),
        (["variants={seed: [1, 2]}"], "cannot vary 'seed': use `seeds`"),
        (["variants={lora.r: []}"], "variants.lora.r is an empty list"),
        (["variants={lora.r: 4}"], "variants"),
        (
            ["variants={loar.r: [4]}"],
            "Unknown key 'loar' in variant 'loar.r=4': did you mean 'lora'?",
        ),
        (
            ["variants={stages.ppo.args: [{}]}"],
            "there is no stage 'ppo'. Stages: sft, dpo, grpo.",
        ),
        (
            ["stages=[sft, dpo, sft]", "variants={stages.sft-3.args.max_steps: [9]}"],
            "there is no stage 'sft-3'. Stages: sft, dpo, sft-2.",
        ),
        (["variants=[{name: a, lora.r: 4}, {name: a, lora.r: 8}]"], "Two variants are called 'a'"),
        (
            ["variants={lora.r: [4]}", "reference=r=5"],
            "reference is 'r=5', which is no variant. Variants: r=4.",
        ),
        (["reference=r=5"], "reference names 'r=5', but there are no variants"),
        (["lattice=true", "variants={lora.r: [4]}"], "variants or for a lattice, not for both"),
        (
            ["lattice=true", "stages=[sft]"],
            "A lattice needs two stages or more, this recipe lists 1.",
        ),
        (["seeds=[1, 1]"], "seeds names 1 twice"),
        (
            ["checkpoint={adapter: x}", "variants={lora.r: [4, 8]}"],
            "stages go on with the adapter of the checkpoint",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_in_a_sentence(overrides: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=r"(?s).*") as refused:
        reference_variant(recipe_of(*overrides))
    assert says in str(refused.value)


def test_a_study_survives_being_written_and_read_again(tmp_path: Path) -> None:
    recipe = recipe_of(
        "variants={lora.r: [4, 16]}", "seeds=[0, 1]", "reference=r=4", "stages.dpo.lora={r: 2}"
    )
    path = tmp_path / "again.yaml"
    # JSON is YAML
    path.write_text(json.dumps(as_written(recipe)))
    assert load_recipe(str(path), []) == recipe


def test_what_came_later_changes_the_identity_of_no_earlier_recipe() -> None:
    identity = recipe_of("ray={num_gpus: 1}", "launcher={torchrun: {nproc_per_node: 2}}").identity()
    assert identity == recipe_of().identity()
    assert not {"variants", "reference", "lattice", "seeds", "ray", "launcher"} & set(identity)
    assert all("lora" not in stage for stage in identity["stages"])


def plan_of(recipe: Path, *overrides: str) -> Plan:
    return make_plan(load_recipe(str(recipe), list(overrides)))


def test_a_lattice_of_three_is_seven_trainings_that_share_prefixes(tiny_recipe: Path) -> None:
    plan = plan_of(tiny_recipe, "lattice=true")
    assert [node.name for node in plan.nodes] == [
        "base",
        "sft",
        "dpo",
        "grpo",
        "sft+dpo",
        "sft+grpo",
        "dpo+grpo",
        "sft+dpo+grpo",
    ]
    parents = {node.name: node.parent.name for node in plan.nodes if node.parent is not None}
    assert (
        parents["sft+dpo+grpo"] == "sft+dpo"
        and parents["dpo+grpo"] == "dpo"
        and parents["grpo"] == "base"
    )
    ids = {node.id for node in plan.nodes}
    # the plain chain is in it
    assert {node.id for node in plan_of(tiny_recipe).nodes} < ids


def test_variants_share_what_does_not_vary_and_are_called_by_what_does(tiny_recipe: Path) -> None:
    plan = plan_of(
        tiny_recipe,
        "variants={stages.dpo.args.beta: [0.1, 0.3], stages.grpo.args.beta: [0.1, 0.2]}",
    )
    names = [node.name for node in plan.nodes]
    assert names[:4] == ["base", "sft", "dpo.beta=0.1/dpo", "dpo.beta=0.1,grpo.beta=0.1/grpo"]
    assert (len(names), len(set(names)), len(plan.chains)) == (8, 8, 4)


def test_seeds_share_base_and_measure_one_checkpoint_again(tiny_recipe: Path) -> None:
    plan = plan_of(tiny_recipe, "seeds=[0, 1]", "stages=[{sft: {args: {max_steps: 1}}}]")
    assert [node.name for node in plan.nodes] == ["base", "seed=0/sft", "seed=1/sft"]
    assert [(node.name, repeat) for node, repeat in plan.repeats] == [("seed=0/sft", 1)]


def test_stages_with_lora_settings_of_their_own_start_adapters_on_merged_weights(
    tiny_recipe: Path,
) -> None:
    plan = plan_of(tiny_recipe, "stages.dpo.lora={r: 2}")
    merged = {node.name: [other.name for other in node.merged] for node in plan.nodes}
    assert merged == {"base": [], "sft": [], "dpo": ["sft"], "grpo": ["sft", "dpo"]}
    assert [node.lora.get("r") for node in plan.nodes] == [None, 4, 2, 4]
    assert [node.id for node in plan_of(tiny_recipe).nodes[:2]] == [
        node.id for node in plan.nodes[:2]
    ]


def test_a_lattice_may_have_seeds_and_measures_its_whole_chain_again(tiny_recipe: Path) -> None:
    plan = plan_of(tiny_recipe, "lattice=true", "seeds=[0, 1]", "stages.dpo.lora={r: 2}")
    # base is one for both seeds
    assert (len(plan.nodes), len(plan.chains)) == (15, 16)
    assert [(node.name, repeat) for node, repeat in plan.repeats] == [("seed=0/sft+dpo+grpo", 1)]


def test_a_lattice_of_equal_stages_is_refused(tiny_recipe: Path) -> None:
    with pytest.raises(UsageError, match="as stages sft and sft-2 are equal"):
        plan_of(
            tiny_recipe,
            "lattice=true",
            "stages=[{sft: {args: {max_steps: 1}}}, {sft: {args: {max_steps: 1}}}]",
        )


def test_settings_of_a_variant_do_not_reach_into_the_recipe() -> None:
    recipe = recipe_of("variants={stages: [[sft], [sft, dpo]], stages.sft.args.max_steps: [4, 5]}")
    before = recipe.identity()
    assert len(wanted_chains(recipe)) == 4
    assert recipe.identity() == before


def test_the_recipe_as_it_is_may_be_a_variant_and_is_then_the_reference() -> None:
    recipe = recipe_of("variants=[{lora.r: 4}, {}]")
    assert ([chain.variant for chain in wanted_chains(recipe)], reference_variant(recipe)) == (
        ["r=4", "as it is"],
        "as it is",
    )


def test_two_variants_that_are_the_same_models_are_refused(tiny_recipe: Path) -> None:
    with pytest.raises(UsageError, match="Variants 'a' and 'b' are the same models"):
        plan_of(tiny_recipe, "variants=[{name: a, lora.r: 4}, {name: b, lora.r: 4}]")


def test_a_variant_that_would_be_measured_otherwise_is_refused(tiny_recipe: Path) -> None:
    with pytest.raises(
        UsageError,
        match="could not be compared: dtype is 'float32' in one and 'bfloat16' in the other",
    ):
        plan_of(tiny_recipe, "variants={model.dtype: [float32, bfloat16]}")


SFT_ONLY = (
    "stages=[{sft: {args: {max_steps: 12, per_device_train_batch_size: 4, learning_rate: 1e-2, "
    "save_steps: 1}}}]"
)
RANKS = [SFT_ONLY, "variants={lora.r: [4, 8]}", "seeds=[0, 1]"]


@pytest.mark.real
def test_a_real_study_trains_only_what_is_missing_two_at_a_time(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """Two ranks with two seeds of SFT: rank 4 with seed 0 is there already."""
    copied(finished_run.parent, tmp_path / "runs")
    overrides = [part for setting in RANKS for part in ("--set", setting)]
    words = ["run", str(tiny_recipe_file), "--name", "ranks", "--jobs", "2", *overrides]
    process = start(*words, folder=tmp_path)
    output = finish(process)
    assert process.returncode == 0, output
    assert output.count("starting to train") == 3 and output.count("starting to evaluate") == 4
    whole = finish(start("report", "ranks", "--full", folder=tmp_path))
    assert "4 trainings and 5 evaluations, where the" in " ".join(whole.split())
    assert "Over training seeds" in whole
    assert_two_ranks_with_two_seeds(tmp_path / "runs")


def test_a_study_trains_only_what_is_missing(
    finished_run: Path, tiny_recipe_file: Path, tmp_path: Path
) -> None:
    """Two seeds of SFT, in this process: seed 0 is there already."""
    root = copied(finished_run.parent, tmp_path / "runs")
    overrides = [SFT_ONLY, "seeds=[0, 1]"]
    done = run_recipe(load_recipe(str(tiny_recipe_file), overrides, "seeds"), root)
    assert done.started("train") == ["seed=1/sft"]
    assert done.started("evaluate") == ["seed=1/sft", "seed=0/sft, measured again"]
    run = read_run(root / "seeds")
    assert [stage.name for stage in run.stages] == ["base", "seed=0/sft", "seed=1/sft"]
    assert [stage.name for stage in run.repeats] == ["seed=0/sft"]


def assert_two_ranks_with_two_seeds(root: Path) -> None:
    run = read_run(root / "ranks")
    assert [stage.name for stage in run.stages] == [
        "base",
        "r=4,seed=0/sft",
        "r=4,seed=1/sft",
        "r=8,seed=0/sft",
        "r=8,seed=1/sft",
    ]
    (report,) = build_report([run]).runs
    assert {standing.variant for standing in report.variants} == {"r=4", "r=8"}
    assert len(run.repeats) == 1
    floors = [floor for floor in report.floors if floor.metric == "accuracy"]
    assert {floor.between_evaluations for floor in floors} == {0.0}
    (repeated,) = (root / "nodes").glob("*/evals/*-repeat-1")
    first = repeated.with_name(repeated.name.removesuffix("-repeat-1"))
    ids, ids_again = (
        {score.id for score in read_records(folder / "scores.jsonl", Score)}
        for folder in (first, repeated)
    )
    assert ids == ids_again


@pytest.mark.parametrize(
    ("overrides", "asked"),
    [
        (["lattice=true", f"stages=[{', '.join(['sft'] * 40)}]"], "more than a trillion"),
        (["lattice=true", f"stages=[{', '.join(['sft'] * 10)}]"], "1,024"),
        ([f"seeds={list(range(1001))}"], "1,001"),
        (
            [f"variants={{lora.r: {list(range(1, 101))}, lora.lora_alpha: {list(range(1, 101))}}}"],
            "10,000",
        ),
    ],
)
def test_more_chains_than_anybody_trains_are_refused_before_they_are_made(
    overrides: list[str], asked: str
) -> None:
    with pytest.raises(UsageError, match=f"asks for {asked} chains"):
        wanted_chains(recipe_of(*overrides))


def test_nested_variants_are_the_dotted_ones_and_keep_what_they_do_not_name() -> None:
    nested = "variants=[{lora: {r: 4}}, {stages: {sft: {args: {max_steps: 9}}}}]"
    dotted = "variants=[{lora.r: 4}, {stages.sft.args.max_steps: 9}]"
    mine, theirs = (wanted_chains(load_recipe("quickstart", [one])) for one in (nested, dotted))
    assert [one.variant for one in mine] == ["r=4", "sft.max_steps=9"]
    assert [(one.variant, one.recipe) for one in mine] == [
        (one.variant, one.recipe) for one in theirs
    ]
    assert mine[0].recipe.lora["lora_alpha"] == 32


def test_a_dataset_of_a_variant_replaces_the_other_whole() -> None:
    asked = "variants=[{stages: {sft: {dataset: {path: bundled/schoolmath}}}}]"
    (chain,) = wanted_chains(load_recipe("quickstart", [asked]))
    source = chain.recipe.trainings()[0].dataset
    assert source is not None and source.split != "two_styles"


def test_a_variant_may_leave_a_stage_out() -> None:
    chains = wanted_chains(load_recipe("quickstart", ["variants={stages.grpo: [null]}"]))
    assert [(one.variant, one.slots) for one in chains] == [("grpo=none", ("sft", "dpo"))]
