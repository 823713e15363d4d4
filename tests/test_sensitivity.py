from pathlib import Path

import pytest

from stagelift.evals.files import write_json, write_records
from stagelift.evals.stats.planning import detectable_share
from stagelift.harness.forecast.sensitivity import sensitivity
from tests.records import make_score


def write_node(root: Path, name: str, parent: str | None, right: str) -> None:
    scores = [make_score(f"p/{place}", letter == "c") for place, letter in enumerate(right)]
    described = {"id": name, "kind": "sft", "parent": parent, "identity": {}}
    write_json(root / "nodes" / name / "node.json", described)
    write_records(root / "nodes" / name / "evals" / "c0ffee" / "scores.jsonl", scores)


def test_without_earlier_stages_two_assumptions_stand(tmp_path: Path) -> None:
    (found,) = sensitivity(tmp_path, "c0ffee", {"accuracy": 128})
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
    (found,) = sensitivity(tmp_path, "c0ffee", {"accuracy": 40})
    assert found.pairs == 2
    assert found.earlier is not None
    # one of ten changed
    assert found.earlier[0] == detectable_share(40, 0.1)
    assert found.earlier[1] > found.earlier[0]
    (other,) = sensitivity(tmp_path, "another", {"accuracy": 40})
    assert other.earlier is None


def test_groups_have_a_line_each_and_one_problem_shows_nothing(tmp_path: Path) -> None:
    found = sensitivity(tmp_path, "c0ffee", {"accuracy": 12, "accuracy_held_out": 4})
    assert [(one.metric, one.n) for one in found] == [("accuracy", 12), ("accuracy_held_out", 4)]
    assert sensitivity(tmp_path, "c0ffee", {"accuracy": 1}) == []
