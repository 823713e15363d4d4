"""What a run will take, in a sentence before it begins."""

from pathlib import Path

from stagelift.harness.forecast.estimate import Cost
from stagelift.harness.forecast.expected import Expected, expected
from stagelift.harness.forecast.total import GROUNDS, total_cost
from stagelift.harness.graph.jobs import EVALUATE, TRAIN, job_name
from stagelift.harness.graph.store import Store
from stagelift.harness.recipes.read import load_recipe
from stagelift.harness.run import prepare

KNOWN = Cost(300.0, 240.0, 360.0, None, "same settings", 2)
GUESSED = Cost(300.0, 100.0, 900.0, None, "guess")


def test_a_total_rests_on_the_weakest_ground_of_its_parts() -> None:
    total = total_cost([KNOWN, None, GUESSED])
    assert total == Cost(600.0, 340.0, 1260.0, None, "guess")
    assert total_cost([None]) is None
    assert list(GROUNDS)[-1] == "guess"


def test_the_sentence_says_how_many_jobs_how_long_and_from_what() -> None:
    assert Expected({"a": KNOWN, "b": KNOWN}).sentence() == (
        "2 jobs, about 10.0 min (8.0 min to 12.0 min) here, from earlier records."
    )
    assert Expected({"a": KNOWN, "b": KNOWN}).sentence(2) == (
        "2 jobs, about 5.0 min (4.0 min to 6.0 min) here, 2 side by side, from earlier records."
    )
    assert (
        Expected({"a": GUESSED, "b": None})
        .sentence()
        .endswith(
            "in part a guess, which may be 3 times off; 1 job left out that cannot be estimated."
        )
    )


def test_where_nothing_is_known_or_left_that_is_said() -> None:
    unknown = "1 job; how long is not known before the first of them is done."
    assert Expected({"a": None}).sentence() == unknown
    assert Expected({}).sentence() == ""


def test_every_job_of_a_plan_is_forecast_under_the_name_that_it_is_done_under(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    store = Store(tmp_path / "runs")
    plan = prepare(load_recipe(str(tiny_recipe), []), store)
    base, *trained = plan.nodes
    names = [job_name(EVALUATE, base)]
    names += [job_name(what, node) for node in trained for what in (TRAIN, EVALUATE)]
    found = expected(plan, store)
    assert list(found.costs) == names and None not in found.costs.values()
    assert set(expected(plan, store, here=False).costs.values()) == {None}
