"""Whether a recipe measures what its gates name, said before anything is trained.

Which metrics one of lm-eval's tasks has is known when it runs, and whether a judge decides a pair,
too: what may come is let through.
"""

from stagelift.evals.metrics.measures import FIXED, Measure, measure, ordered, pass_name
from stagelift.evals.metrics.scorers.known import named
from stagelift.evals.nearest import did_you_mean
from stagelift.evals.records import Group
from stagelift.harness.errors import UsageError
from stagelift.harness.recipes.sections import Recipe

_WHAT_ASKS: dict[Group, str] = {
    "held_out": "evals.accuracy.held_out",
    "sampled": "evals.accuracy.sampled",
    "preference": "evals.preference.prompts",
    "task": "evals.tasks",
    "instructions": "evals.retention",
    "choices": "evals.retention",
    "passages": "evals.retention",
}


def check_gates(recipe: Recipe) -> None:
    """Raise UsageError where a gate or a tier names what the recipe does not measure."""
    in_tiers = [metric for metrics in recipe.tiers.values() for metric in metrics]
    for section, metrics in (("gates", [*recipe.gates]), ("tiers", in_tiers)):
        for metric in metrics:
            if not _may_come(recipe, measure(metric)):
                raise UsageError(_not_measured(recipe, section, measure(metric)))


def known_metrics(recipe: Recipe) -> list[str]:
    """Name the metrics that a recipe measures and that can be gated; those of lm-eval's tasks and
    the quantiles of lengths are left out.
    """
    own = _own_scores(recipe)
    passes = [pass_name(recipe.evals.accuracy.samples)] * (recipe.evals.accuracy.samples > 1)
    fixed = [
        known.name
        for known in FIXED
        if _may_come(recipe, known)
        and known.quantile is None
        and known.against != "previous"
        and known.family != "win rate by votes"
    ]
    return ordered([*own, *passes, *fixed])


def _not_measured(recipe: Recipe, section: str, known: Measure) -> str:
    names = known_metrics(recipe)
    asks = _WHAT_ASKS.get(known.group) if known.group is not None else None
    turn_on = "" if asks is None or known.name in names else f" It comes with {asks}."
    return (
        f"{section} names '{known.name}', which recipe '{recipe.name}' does not measure, so that "
        f"no check could pass.{did_you_mean(known.name, names)}{turn_on} It measures: "
        f"{', '.join(names)}."
    )


def _may_come(recipe: Recipe, known: Measure) -> bool:
    accuracy, preference = recipe.evals.accuracy, recipe.evals.preference
    match known.family:
        case "own score":
            return known.name in _own_scores(recipe)
        case "lm-eval task":
            return bool(recipe.evals.lm_eval_tasks)
        case "accuracy" | "sampled accuracy" | "pass@k" if accuracy.task == "mine":
            return False
        case "pass@k":
            drawn = accuracy.sampled if known.group == "sampled" else accuracy.samples
            return (known.k or 1) <= drawn and _is_asked(recipe, known.group)
        case "win rate" | "win rate by votes" if known.against not in preference.against:
            return False
    return _is_asked(recipe, known.group)


def _is_asked(recipe: Recipe, group: Group | None) -> bool:
    """Say whether prompts of a group are asked."""
    evals = recipe.evals
    match group:
        case "held_out":
            return evals.accuracy.held_out > 0
        case "sampled":
            return evals.accuracy.sampled > 0
        case "preference":
            return evals.preference.prompts is not None
        case "task":
            return bool(evals.own_tasks)
        case "instructions" | "choices" | "passages":
            return evals.retention is not None and getattr(evals.retention, group) > 0
        case _:
            return True


def _own_scores(recipe: Recipe) -> list[str]:
    main = named(recipe.evals.accuracy.scorers, None)
    further = [one for task in recipe.evals.own_tasks for one in named(task.scorers, task.task)]
    return [one.metric for one in (*main, *further)]
