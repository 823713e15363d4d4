"""Groups of completions without a signal: where a stage learns from the differences between
completions of one prompt, those that are all right or all wrong teach it nothing about being right.
"""

from dataclasses import replace

from stagelift.evals.metrics.measures import SAMPLED_ACCURACY, measure
from stagelift.evals.records import Metric
from stagelift.harness.forecast.advice import Advice
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.reports.words.counting import listed
from stagelift.reports.words.formatting import value_with_n
from stagelift.stages.health.completions import MANY_SILENT
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import config_on_paper


def group_advice(plan: Plan, store: Store) -> list[Advice]:
    """Say of every stage that is rewarded for being right how many of its groups cannot tell right
    from wrong. Stages of which the same is true share a sentence.
    """
    names: dict[Advice, list[str]] = {}
    for node in plan.nodes:
        if node.settings is not None and "correctness" in node.settings.rewards:
            names.setdefault(_of_node(node, plan, store), []).append(node.name)
    return [
        replace(advice, text=f"{listed(stages)}: {advice.text}") for advice, stages in names.items()
    ]


def silent_share(accuracy: float, completions: int) -> float:
    """Return the least share of groups in which all completions are right, or all wrong.

    So many if all problems were as hard as the mean one. They are not, which makes more (Jensen:
    p^G + (1-p)^G is convex).
    """
    return accuracy**completions + (1 - accuracy) ** completions


def _of_node(node: Node, plan: Plan, store: Store) -> Advice:
    assert node.settings is not None and node.parent is not None
    config = config_on_paper(kind_named(node.settings.kind), node.settings.args)
    completions = config.num_generations
    start, name, accuracy = _accuracy_before(node, plan, store)
    if accuracy is None:
        text = (
            f"which share of groups ({completions} completions each) has no correctness signal is "
            f"not known yet: {start.name} is not measured."
        )
        return Advice("groups", "note", text)
    share = silent_share(accuracy.value, completions)
    text = (
        f"at least {100 * share:.0f}% of groups ({completions} completions each) carry no "
        "correctness signal, all right or all wrong, where training problems are as hard as those "
        f"asked: {_measured(start, name, accuracy, node.parent)}."
    )
    if share <= MANY_SILENT:
        return Advice("groups", "note", text)
    return Advice("groups", "warning", f"{text} {_remedy(accuracy.value)}")


def _accuracy_before(node: Node, plan: Plan, store: Store) -> tuple[Node, str, Metric | None]:
    """Return whose accuracy is known, which, and its value: that of what a node starts from, else
    of base.

    Groups are sampled, so sampled accuracy is the better one.
    """
    for start in (node.parent, node.root):
        if start is not None and store.is_evaluated(start, plan):
            metrics = store.evaluation_folder(start, plan).read_result().metrics
            name = SAMPLED_ACCURACY if SAMPLED_ACCURACY in metrics else "accuracy"
            return start, name, metrics.get(name)
    return node.root, "accuracy", None


def _measured(start: Node, name: str, accuracy: Metric, parent: Node) -> str:
    measured = f"{start.name}'s {measure(name).title} is {value_with_n(name, accuracy)}"
    if start.id == parent.id:
        return measured
    return f"{measured} ({parent.name}, where it starts, is not measured yet)"


def _remedy(accuracy: float) -> str:
    if accuracy < 0.5:
        return "Raise num_generations, or start from a stage that is right more often."
    return "Raise num_generations, or train on harder problems."
