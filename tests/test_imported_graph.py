"""Imported stages make chains by variant and seed, as those of a study."""

import pytest

from stagelift.evals.imports.results import ImportedStage
from stagelift.evals.records import Generation
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.imported import imported_graph
from stagelift.harness.graph.names import model_names


def stage(
    name: str, variant: str | None = None, seed: int | None = None, response: str = ""
) -> ImportedStage:
    generation = Generation(
        id="1",
        group="test",
        prompt="p",
        response=response or f"{name} {variant} {seed}",
        n_tokens=None,
        finish_reason=None,
    )
    return ImportedStage(name, [generation], [], [], {}, variant=variant, seed=seed)


def test_stages_without_variant_and_seed_are_one_chain() -> None:
    graph = imported_graph([stage("base"), stage("sft"), stage("dpo")])
    assert [(node.name, node.before) for node in graph.nodes] == [
        ("base", ()),
        ("sft", (0,)),
        ("dpo", (0, 1)),
    ]
    assert (graph.chains, graph.reference, graph.in_order()) == ([], None, [0, 1, 2])


def test_one_variant_and_one_seed_make_no_study() -> None:
    graph = imported_graph([stage("base"), stage("sft", "lr=1e-5", 0)])
    assert [node.name for node in graph.nodes] == ["base", "sft"] and graph.chains == []


def test_variants_and_seeds_are_chains_from_a_shared_base() -> None:
    stages = [stage("base")]
    stages += [stage("sft", variant, seed) for variant in ("r=4", "r=16") for seed in (0, 1)]
    graph = imported_graph(stages)
    assert [node.name for node in graph.nodes] == [
        "base",
        "r=4,seed=0/sft",
        "r=4,seed=1/sft",
        "r=16,seed=0/sft",
        "r=16,seed=1/sft",
    ]
    assert [(chain.variant, chain.seed) for chain in graph.chains] == [
        ("r=4", 0),
        ("r=4", 1),
        ("r=16", 0),
        ("r=16", 1),
    ]
    assert graph.chains[3].slots == (("base", 0), ("sft", 4)) and graph.reference == "r=4"


def test_base_that_is_written_down_for_every_seed_is_taken_once() -> None:
    stages = [stage(name, None, seed, name[0]) for seed in (0, 1) for name in ("base", "sft")]
    graph = imported_graph(stages)
    assert sorted(node.name for node in graph.nodes) == ["base", "seed=0/sft", "seed=1/sft"]
    assert [chain.slots[0] for chain in graph.chains] == [("base", 0)] * 2


def test_a_stage_is_shared_by_the_seeds_of_its_variant() -> None:
    stages = [stage("base"), stage("sft", "a"), stage("sft", "b")]
    stages += [stage("dpo", variant, seed) for variant in ("a", "b") for seed in (0, 1)]
    graph = imported_graph(stages)
    assert {node.name for node in graph.nodes} >= {"a/sft", "b/sft", "a,seed=1/dpo"}
    assert [len(chain.slots) for chain in graph.chains] == [3] * 4


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (
            [stage("base"), stage("sft", None, 0), stage("sft", None, 1), stage("dpo", None, 1)],
            "seed 0 has the stages base, sft, and seed 1 base, sft, dpo",
        ),
        (
            [stage("base"), stage("sft", None, 0), stage("sft", None, 1), stage("dpo")],
            "Stage 'dpo' is the same in several chains, but not the stages before it",
        ),
    ],
)
def test_stages_that_make_no_chains_are_refused(stages: list[ImportedStage], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        imported_graph(stages)


def test_models_are_called_by_what_their_chains_share() -> None:
    chains = [[("base", 1), ("sft", 2)], [("base", 1), ("sft", 3)]]
    assert model_names(chains, [("a", "seed=0"), ("a", "seed=1")]) == {
        1: "a/base",
        2: "a,seed=0/sft",
        3: "a,seed=1/sft",
    }
