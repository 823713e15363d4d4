"""What is better known before a run is paid for: a dtype the GPU only emulates, GRPO groups without
a signal, data that leaks.

Sentences, each a warning or a note. Nothing here stops a run.
"""

from dataclasses import dataclass
from typing import Literal

from stagelift.evals.data.overlap import WORDS, Overlap, overlap
from stagelift.evals.files import read_record
from stagelift.evals.models.model import Device, Dtype
from stagelift.evals.records import EvalResult, Metric
from stagelift.harness.forecast.material import Asked, TrainedOn
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.store import Store
from stagelift.reports.words.formatting import listed, value_with_n
from stagelift.stages.data import reading
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import StageSettings, config_on_paper

_QUESTIONS = {
    "test": "test problem",
    "held_out": "held-out problem",
    "preference": "preference prompt",
}


@dataclass(frozen=True)
class Advice:
    """A sentence about one thing, by its name in JSON."""

    about: Literal["precision", "groups", "overlap"]
    level: Literal["warning", "note"]
    text: str


def precision_advice(dtype: Dtype, on: Device, *, native: bool) -> list[Advice]:
    """Warn of bfloat16 where the GPU does not multiply in it itself."""
    if dtype != "bfloat16" or on != "cuda" or native:
        return []
    text = "model.dtype is bfloat16, which this GPU only emulates, slowly. Use float16, or leave it to model.dtype=auto."
    return [Advice("precision", "warning", text)]


def group_advice(plan: Plan, store: Store) -> list[Advice]:
    """Say of every GRPO stage that is rewarded for being right how many of its groups cannot tell
    right from wrong.
    """
    nodes = [
        node
        for node in plan.nodes
        if node.settings is not None and "correctness" in node.settings.rewards
    ]
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        one = _of_groups(node, plan, store)
        found.setdefault((one.level, one.text), []).append(node.name)
    return [
        Advice("groups", "warning" if level == "warning" else "note", f"{listed(names)}: {text}")
        for (level, text), names in found.items()
    ]


def silent_share(accuracy: float, completions: int) -> float:
    """Return the least share of groups in which all completions are right, or all wrong.

    So many if all problems were as hard as the mean one. They are not, which makes more (Jensen:
    p^G + (1-p)^G is convex).
    """
    return accuracy**completions + (1 - accuracy) ** completions


def overlap_advice(plan: Plan, asked: Asked, trained_on: TrainedOn) -> list[Advice]:
    """Say how much of what is asked, group by group, stands in what each stage trains on."""
    questions = asked.texts()
    found: dict[tuple[str, tuple[Overlap, ...]], list[str]] = {}
    unchecked = [f"{what}, which cannot be read here" for what in asked.unreached()]
    for settings in _distinct(plan):
        texts, data = trained_on.of(settings), settings.dataset
        if texts is None:
            unchecked.append(f"{settings.kind}'s data, {data.path}, which cannot be read here")
            continue
        lines = [text for row in texts for text in row]
        seen = tuple(overlap(group, lines) for group in questions.values())
        found.setdefault(
            (f"the {len(texts):,} rows of {data.path}, {data.split}", seen), []
        ).append(settings.kind)
    unchecked += [
        f"what {node.name} was trained on" for node in plan.nodes if node.kind == "checkpoint"
    ]
    unchecked += [f"lm-eval's {task.task}" for task in plan.settings.tasks]
    overlaps = [
        one
        for (rows, seen), kinds in found.items()
        for one in _of_overlaps(
            f"{listed(kinds)} ({rows})", dict(zip(questions, seen, strict=True))
        )
    ]
    return overlaps + [
        Advice("overlap", "note", f"Not checked for overlap: {one}.") for one in unchecked
    ]


def _of_groups(node: Node, plan: Plan, store: Store) -> Advice:
    assert node.settings is not None and node.parent is not None
    config = config_on_paper(kind_named(node.settings.kind), node.settings.args)
    completions = config.num_generations
    start, accuracy = _accuracy_before(node, plan, store)
    if accuracy is None:
        text = f"which share of groups ({completions} completions each) has no correctness signal is not known yet: "
        return Advice("groups", "note", f"{text}{start.name} is not measured.")
    share = silent_share(accuracy.value, completions)
    text = (
        f"at least {100 * share:.0f}% of groups ({completions} completions each) carry no "
        "correctness signal, all right or all wrong, where training problems are as hard as those "
        f"asked: {_measured(start, accuracy, node.parent)}."
    )
    if share <= 0.5:
        return Advice("groups", "note", text)
    other = (
        "start from a stage that is right more often"
        if accuracy.value < 0.5
        else "train on harder problems"
    )
    return Advice("groups", "warning", f"{text} Raise num_generations, or {other}.")


def _measured(start: Node, accuracy: Metric, parent: Node) -> str:
    measured = f"{start.name}'s accuracy is {value_with_n('accuracy', accuracy)}"
    return (
        measured
        if start.id == parent.id
        else f"{measured} ({parent.name}, where it starts, is not measured yet)"
    )


def _accuracy_before(node: Node, plan: Plan, store: Store) -> tuple[Node, Metric | None]:
    """Return the measured accuracy of what a node starts from, else of base, with whose it is."""
    for start in (node.parent, node.root):
        if start is not None and store.is_evaluated(start, plan):
            result = read_record(store.evaluation_folder(start, plan) / "result.json", EvalResult)
            return start, result.metrics.get("accuracy")
    return node.root, None


def _distinct(plan: Plan) -> list[StageSettings]:
    """Return the stages that read different rows, or the same ones in another way."""
    stages = [node.settings for node in plan.nodes if node.settings is not None]
    return list({reading(stage): stage for stage in stages}.values())


def _of_overlaps(who: str, groups: dict[str, Overlap]) -> list[Advice]:
    """Write what was found: a warning for each group that shares something, and a note that names
    those that do not.
    """
    shared = [
        Advice("overlap", "warning", f"{who}: {_shared(group, one)}")
        for group, one in groups.items()
        if one.sharing
    ]
    apart = [
        f"{_asked(group, one)}{_short(one)}" for group, one in groups.items() if not one.sharing
    ]
    text = f"{who}: no {WORDS} words in a row are shared with the {' or the '.join(apart)}."
    return shared + ([Advice("overlap", "note", text)] if apart else [])


def _shared(group: str, found: Overlap) -> str:
    """Say how much is shared: a problem that stands in the data whole is a leak, shared wording
    alone is none.
    """
    assert found.closest is not None
    name, share = found.closest
    return (
        f"{found.sharing:,} of {_asked(group, found)} "
        f"({100 * found.sharing / found.asked:.0f}%){_short(found)} share {WORDS} words in a row "
        f"with them, {found.sharing_half:,} at least half of all their runs of {WORDS}; closest is "
        f"{name}, with {100 * share:.0f}%. {_verdict(found)}"
    )


def _asked(group: str, found: Overlap) -> str:
    return f"{found.asked:,} {_QUESTIONS[group]}{'' if found.asked == 1 else 's'}"


def _short(found: Overlap) -> str:
    return f" ({found.too_short:,} too short to tell)" if found.too_short else ""


def _verdict(found: Overlap) -> str:
    if not found.whole:
        return (
            "None stands there word for word: templates and stock phrases look like this, copied "
            "problems do not, though reworded ones might."
        )
    named = ", ".join(found.whole[:3]) + (", ..." if len(found.whole) > 3 else "")
    return (
        f"{len(found.whole):,} stand there WORD FOR WORD ({named}): a model can know them by "
        "heart. Take them out of the training data, or its accuracy is partly memory."
    )
