"""How many tests the verdicts of a report will share their 5% with, as far as a recipe tells: the
families that Holm adjusts are larger the more is measured, and less is shown in them.

Equal tests count once in a report, so there may be fewer. Of lm-eval's tasks one metric is counted,
as which ones they have is known when they run.
"""

from stagelift.evals.judges.load import judges_prompts
from stagelift.evals.metrics.measures import (
    is_of_own_task,
    measure,
    win_rate_name,
    without_stand_ins,
)
from stagelift.evals.records import Group
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.recipes.gated import known_metrics
from stagelift.harness.recipes.sections import Recipe
from stagelift.reports.numbers.headline import is_read_for
from stagelift.reports.numbers.variants import COMPARED_TOO


def step_tests(plan: Plan) -> dict[str, int]:
    """Count, for each metric, the tests of its family where a stage is held against the one before
    it.
    """
    names = _metrics(plan.recipe)
    headline = [name for name in names if is_read_for(measure(name), names, plan.contract)]
    stages = [node for node in plan.nodes if node.parent is not None and node.exported is None]
    tasks = len(plan.recipe.evals.lm_eval_tasks)
    main = len(stages) * (len(headline) + tasks)
    # the later ones are held against base, too, in all but win rates, which name their opponent
    whole = sum(node.parent is not node.root for node in stages)
    again = sum(measure(name).against is None for name in names) + tasks
    other = len(stages) * (len(names) - len(headline)) + whole * again
    return {name: max(1, main if name in headline else other) for name in names}


def variant_tests(plan: Plan) -> dict[str, int]:
    """Count, for each metric, the tests of variants against the reference; empty without any."""
    if plan.reference is None:
        return {}
    slots: dict[str, dict[str, Node]] = {}
    for chain in plan.chains:
        for slot, node in chain.slots:
            slots.setdefault(slot, {})[chain.variant] = node
    measured = _metrics(plan.recipe)
    names = [
        name
        for name in measured
        if name in COMPARED_TOO
        or is_of_own_task(name, None)
        or (
            is_read_for(measure(name), measured, plan.contract)
            and measure(name).against != "previous"
        )
    ]
    others = sum(
        variants[plan.reference].id != node.id
        for variants in slots.values()
        for node in variants.values()
        if plan.reference in variants
    )
    tests = others * (len(names) + len(plan.recipe.evals.lm_eval_tasks))
    return dict.fromkeys(names, tests) if others else {}


def _metrics(recipe: Recipe) -> list[str]:
    preference = recipe.evals.preference
    group: Group = "preference" if judges_prompts(preference.judge) else "test"
    previous = [win_rate_name("previous", group)] * ("previous" in preference.against)
    return without_stand_ins(dict.fromkeys([*known_metrics(recipe), *previous]))
