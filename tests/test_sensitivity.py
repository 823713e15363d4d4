from pathlib import Path

import pytest

from stagelift.evals.files import write_json, write_records
from stagelift.evals.stats.planning import detectable_share
from stagelift.harness.forecast.material import Prompts
from stagelift.harness.forecast.sensitivity import Sensitivity, of_variants, sensitivity
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe
from tests.records import make_score


def write_node(root: Path, name: str, parent: str | None, right: str) -> None:
    scores = [make_score(f"p/{place}", letter == "c") for place, letter in enumerate(right)]
    described = {"id": name, "kind": "sft", "parent": parent, "identity": {}}
    write_json(root / "nodes" / name / "node.json", described)
    write_records(root / "nodes" / name / "evals" / "c0ffee" / "scores.jsonl", scores)


def of_many(root: Path, contract: str, tests: int = 1, **prompts: Prompts) -> list[Sensitivity]:
    return sensitivity(root, contract, prompts, dict.fromkeys(prompts, tests))


def test_without_earlier_stages_two_assumptions_stand(tmp_path: Path) -> None:
    (found,) = of_many(tmp_path, "c0ffee", accuracy=Prompts(128))
    assert (found.metric, found.n, found.earlier, found.pairs) == ("accuracy", 128, None, 0)
    # about 2.8016 * sqrt(.2 / 128) = .1107 and sqrt(.5 / 128) * 2.8016 = .1751
    assert found.assumed == pytest.approx(0.1086, abs=1e-4)
    assert found.most == pytest.approx(0.1742, abs=2e-3)


def test_earlier_stages_under_the_contract_say_how_much_changes(tmp_path: Path) -> None:
    write_node(tmp_path, "base-1", None, "wwwwwwwwww")
    write_node(tmp_path, "sft-1", "base-1", "cwwwwwwwww")
    write_node(tmp_path, "dpo-1", "sft-1", "wccccwwwww")
    # nothing changed: that is no spread
    write_node(tmp_path, "dpo-2", "sft-1", "cwwwwwwwww")
    (found,) = of_many(tmp_path, "c0ffee", accuracy=Prompts(40))
    assert found.pairs == 2
    assert found.earlier is not None
    # one of ten changed
    assert found.earlier[0] == detectable_share(40, 0.1)
    assert found.earlier[1] > found.earlier[0]
    (other,) = of_many(tmp_path, "another", accuracy=Prompts(40))
    assert other.earlier is None


def test_groups_have_a_line_each_and_one_problem_shows_nothing(tmp_path: Path) -> None:
    found = of_many(tmp_path, "c0ffee", accuracy=Prompts(12), accuracy_held_out=Prompts(4))
    assert [(one.metric, one.n) for one in found] == [("accuracy", 12), ("accuracy_held_out", 4)]
    assert of_many(tmp_path, "c0ffee", accuracy=Prompts(1)) == []


def test_clusters_show_less_than_as_many_problems_that_stand_alone(tmp_path: Path) -> None:
    alone, few, each = (
        of_many(tmp_path, "c0ffee", instructions_followed=Prompts(48, clusters))[0]
        for clusters in (None, 16, 48)
    )
    # t of 15 degrees of freedom on means of three problems: (2.13 + .87) * sqrt(.2 / 48) and more
    assert few.assumed == pytest.approx(0.1936, abs=2e-3)
    assert alone.assumed is not None and few.assumed is not None and few.assumed > alone.assumed
    assert each.assumed == alone.assumed
    assert (few.n, few.clusters) == (48, 16)


def test_two_clusters_show_nothing_in_a_large_family(tmp_path: Path) -> None:
    (found,) = of_many(tmp_path, "c0ffee", 60, choice_acc_norm=Prompts(6, 2))
    assert (found.assumed, found.most) == (None, None)


def test_what_is_shown_is_what_holm_leaves_of_a_family(tmp_path: Path) -> None:
    (alone,) = of_many(tmp_path, "c0ffee", 1, accuracy=Prompts(256))
    (many,) = of_many(tmp_path, "c0ffee", 12, accuracy=Prompts(256))
    assert many.tests == 12 and many.assumed == detectable_share(256, 0.2, 0.05 / 12)
    assert alone.assumed is not None and many.assumed > alone.assumed


def test_variants_are_held_against_their_reference_but_for_those_over_seeds(
    tiny_recipe: Path,
) -> None:
    ranks, asked = "variants={lora.r: [2, 4, 8]}", {"accuracy": Prompts(12)}
    (found,) = of_variants(make_plan(load_recipe(str(tiny_recipe), [ranks])), asked)
    assert (found.metric, found.against, found.earlier) == ("accuracy", "r=4", None)
    # two variants at three stages, in accuracy, held-out accuracy, win rate, preference accuracy
    # and length
    assert found.tests == 2 * 3 * 5
    seeds = load_recipe(str(tiny_recipe), [ranks, "seeds=[0, 1, 2]"])
    assert of_variants(make_plan(seeds), asked) == []
    assert of_variants(make_plan(load_recipe(str(tiny_recipe), [])), asked) == []
