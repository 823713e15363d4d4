"""Which contract an evaluation has when contracts gain fields."""

from stagelift.evals.contract import differences
from stagelift.harness.graph.contract import without_unused
from stagelift.harness.graph.digest import digest

CONTRACT = {"task": "schoolmath", "samples": 1, "eos_token": None}


def test_a_later_field_that_is_not_used_leaves_the_contract_as_it_was() -> None:
    contract = without_unused({**CONTRACT, "system_prompt": None}, {"system_prompt": None})
    assert contract == CONTRACT
    assert digest(contract) == digest(CONTRACT)


def test_a_later_field_that_is_used_is_part_of_the_contract() -> None:
    contract = without_unused({**CONTRACT, "system_prompt": "Be brief."}, {"system_prompt": None})
    assert contract == {**CONTRACT, "system_prompt": "Be brief."}
    assert digest(contract) != digest(CONTRACT)


def test_a_field_of_the_first_contracts_stays_whatever_its_value() -> None:
    assert without_unused(CONTRACT, {"system_prompt": None}) == CONTRACT


def test_every_field_that_differs_is_named_the_engine_first() -> None:
    mine, theirs = {"data": 1, "engine": "a", "task": 3}, {"data": 2, "engine": "b", "task": 3}
    assert [one.field for one in differences(mine, theirs)] == ["engine", "data"]
    assert [one.field for one in differences(mine, theirs, across_engines=True)] == ["data"]
