"""How many tests a report's families have, before there is a report."""

from pathlib import Path

from stagelift.evals.metrics.measures import measure
from stagelift.harness.forecast.planned_tests import step_tests, variant_tests
from stagelift.harness.graph.plan import make_plan
from stagelift.harness.recipes.read import load_recipe
from stagelift.reports.numbers.compare import compare_stages
from stagelift.reports.numbers.headline import headline_metrics, is_read_for
from stagelift.reports.records import read_run


def test_the_headline_has_as_many_tests_as_its_report_and_the_rest_no_fewer(
    tiny_recipe_file: Path, finished_run: Path
) -> None:
    planned = step_tests(make_plan(load_recipe(str(tiny_recipe_file), [])))
    made = {one.metric: one.tests for one in compare_stages([read_run(finished_run)]) if one.tests}
    # four metrics and a task of lm-eval after each of three stages, equal tests once in the report
    assert planned["accuracy"] == 15 >= made["accuracy"]
    assert planned["truncated"] >= made["truncated"]


def test_what_a_plan_takes_for_the_headline_is_what_the_report_has(
    tiny_recipe_file: Path, finished_run: Path
) -> None:
    plan = make_plan(load_recipe(str(tiny_recipe_file), []))
    last = read_run(finished_run).stages[-1]
    planned = set(step_tests(plan)) & set(last.evaluation.metrics)
    expected = {name for name in planned if is_read_for(measure(name), [*planned], plan.contract)}
    assert expected and expected == headline_metrics(last) & planned


def test_a_run_without_variants_has_no_family_of_them(tiny_recipe: Path) -> None:
    assert variant_tests(make_plan(load_recipe(str(tiny_recipe), []))) == {}
