"""What checkpoints are selected by: the settings and the contract of an evaluation on validation
data, which asks for one metric and nothing else.
"""

from collections.abc import Iterable
from typing import Any

from stagelift.evals.data.source import pinned
from stagelift.evals.judges.load import ReferenceJudge
from stagelift.evals.metrics.measures import Family, Measure, measure
from stagelift.evals.metrics.scorers.known import named
from stagelift.evals.models.model import ModelRef
from stagelift.evals.settings import EvaluationSettings, PreferenceSettings
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.contract import contract_of, evaluation_settings
from stagelift.harness.graph.node import Plan, Selects
from stagelift.harness.recipes.sections import Recipe, ValidationSection

# families of metrics that say of one model alone which of two is better
_SELECTING: tuple[Family, ...] = (
    "accuracy",
    "sampled accuracy",
    "pass@k",
    "preference accuracy",
    "own score",
)
_OURS = ("accuracy", "accuracy_strict", "accuracy_flexible", "sampled_accuracy", "pass@k")


def selects(
    recipe: Recipe,
    metric: str | None,
    base: ModelRef,
    asked: Iterable[ModelRef],
    every: int | None = None,
) -> Selects:
    """Return how checkpoints are selected by a metric: those of the models `asked`, beside base.

    Raises UsageError where that cannot be measured.
    """
    known = selecting_metric(recipe, metric)
    settings = _settings(recipe, known, base)
    try:
        contract = contract_of(settings, base, [base, *asked])
    except ValueError as error:
        raise UsageError(str(error)) from error
    if known.name == "preference_accuracy_per_token" and contract.get("tokenizers") is not None:
        raise UsageError(
            f"select.metric is '{known.name}', which is not measured where tokenizers differ, and "
            f"those of the checkpoints and of '{base.path}' do. Use preference_accuracy."
        )
    return Selects(known.name, settings, contract, every)


def selecting_metric(recipe: Recipe, asked: str | None) -> Measure:
    """Return what a metric is that checkpoints are selected by; None: accuracy, or the first score
    of the user's own.

    Raises UsageError where it is none, or the recipe does not measure it.
    """
    scores = [made.metric for made in named(recipe.evals.accuracy.scorers, None)]
    name = asked or (scores or ["accuracy"])[0]
    try:
        known = measure(name)
    except ValueError as error:
        raise UsageError(f"select.metric: {error}") from error
    if known.family not in _SELECTING or known.group == "held_out" or known.better is None:
        raise UsageError(
            f"select.metric is '{name}', which cannot select a checkpoint: {_why_not(known)}. Use "
            f"{', '.join(scores or _OURS)} or preference_accuracy."
        )
    is_score, by_pairs = known.family == "own score", known.family == "preference accuracy"
    if not by_pairs and (name not in scores if scores else is_score):
        raise UsageError(
            f"select.metric is '{name}', which task {recipe.evals.accuracy.task} does not measure. "
            f"Use {', '.join(scores or _OURS)} or preference_accuracy."
        )
    missing = _missing(recipe, known)
    if missing is not None:
        raise UsageError(f"select.metric is '{name}', but {missing}")
    return known


def unused_note(plan: Plan) -> str | None:
    """Say that a recipe names validation data and no stage selects by them; None where one does."""
    if plan.recipe.evals.validation == ValidationSection():
        return None
    if any(node.selects is not None for node in plan.nodes):
        return None
    return (
        "evals.validation is set, but nothing is selected by it: every stage is what its last step "
        "made. To select a stage's best checkpoint give it `select: {every: 20}` "
        "(docs/which-checkpoint.md), or leave evals.validation out."
    )


def _why_not(known: Measure) -> str:
    if known.group == "held_out":
        return "held-out problems are for testing"
    match known.family:
        case "win rate":
            return "it is against another model"
        case "lm-eval task":
            return "lm-eval's tasks are for testing"
        case _:
            return "a length, a time or a share of cut-off responses is no better for being less"


def _missing(recipe: Recipe, known: Measure) -> str | None:
    """Say what the recipe lacks for a metric to be measured; None where it has all."""
    asked = recipe.evals.accuracy
    match known.family:
        case "preference accuracy" if recipe.validation_pairs() is None:
            return (
                "there are no validation pairs: name some with evals.validation.pairs, such as: "
                "pairs: {path: pairs/validation.jsonl}."
            )
        case "sampled accuracy" if not asked.sampled:
            return "nothing is sampled: set evals.accuracy.sampled, such as: sampled: 8."
        case "pass@k":
            drawn = asked.sampled if known.group == "sampled" else asked.samples
            if known.k is not None and known.k > drawn:
                return (
                    f"{drawn} of a problem's responses are drawn: set evals.accuracy.samples "
                    "(with a temperature), or sampled."
                )
    return None


def _settings(recipe: Recipe, known: Measure, model: ModelRef) -> EvaluationSettings:
    """Ask the validation problems as the test problems are asked, or only score pairs."""
    whole, validation = evaluation_settings(recipe, model.device), recipe.evals.validation
    by_pairs = known.family == "preference accuracy"
    update: dict[str, Any] = {"limit": validation.limit, "held_out": 0}
    if by_pairs:
        update |= {"limit": 0, "scorers": []}
    elif known.family == "own score":
        update["source"] = pinned(recipe.validation_source())
    else:
        update["validation"] = pinned(recipe.validation_source())
    if known.group != "sampled":
        update["sampled"] = 0
    pairs = recipe.validation_pairs() if by_pairs else None
    return EvaluationSettings(
        problems=whole.problems.model_copy(update=update),
        preference=PreferenceSettings(
            judge=ReferenceJudge(),
            against=[],
            prompts=None if pairs is None else pinned(pairs),
            max_tokens=whole.preference.max_tokens,
            gold=None,
        ),
        tasks=[],
        engine=whole.engine,
    )
