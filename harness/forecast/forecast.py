"""A plan before it is paid for: what is there, what remains, what it costs, what it can show, and
what speaks against it.
"""

from dataclasses import dataclass

from stagelift.harness.environment import device_title
from stagelift.harness.forecast.advice import Advice, precision_advice
from stagelift.harness.forecast.estimate import Cost, Estimator
from stagelift.harness.forecast.groups import group_advice
from stagelift.harness.forecast.history import read_history
from stagelift.harness.forecast.leaks import overlap_advice
from stagelift.harness.forecast.material import Asked, TrainedOn
from stagelift.harness.forecast.other_dtype import other_dtype_advice
from stagelift.harness.forecast.planned_tests import step_tests
from stagelift.harness.forecast.sensitivity import Sensitivity, of_variants, sensitivity
from stagelift.harness.graph.jobs import EVALUATE, EXPORT, REPEAT, SELECT, TRAIN
from stagelift.harness.graph.model_checks import trained_on_other_models
from stagelift.harness.graph.node import Node, Plan
from stagelift.harness.graph.plan_notes import plan_notes
from stagelift.harness.graph.seen_rows import SeenRow, seen_rows
from stagelift.harness.graph.store import Store
from stagelift.stages import precision


@dataclass(frozen=True)
class Job:
    """One training, export or evaluation of a node, done or still to do; `cost` is None where
    nothing can be said. An export leaves so many `disk_bytes`; a repeated evaluation has a number.
    """

    what: str
    done: bool
    cost: Cost | None
    disk_bytes: int | None = None
    repeat: int = 0


@dataclass(frozen=True)
class NodeForecast:
    """A node and its jobs, in the order they are done."""

    node: Node
    jobs: list[Job]


@dataclass(frozen=True)
class Forecast:
    """Everything `stagelift plan` says.

    `rows` are the first of what stages train on, with the stages' names. `avoided` are the
    trainings that chains would do on top if they shared no nodes; what is `known` are earlier
    records of this machine.
    """

    plan: Plan
    device: str
    nodes: list[NodeForecast]
    rows: list[tuple[str, SeenRow]]
    avoided: int
    trainings_known: int
    evaluations_known: int
    sensitivity: list[Sensitivity]
    advice: list[Advice]

    def jobs(self, what: str, *, done: bool) -> list[Job]:
        """Return the jobs that are called so, in the order of the nodes."""
        return [
            job for node in self.nodes for job in node.jobs if job.what == what and job.done is done
        ]

    def remaining(self) -> list[Job]:
        """Return everything still to do."""
        return [job for node in self.nodes for job in node.jobs if not job.done]


def make_forecast(plan: Plan, store: Store) -> Forecast:
    """Look at everything a plan is made of; reads records and data, loads no weights and writes
    nothing.
    """
    asked, texts, device = Asked(plan.settings), TrainedOn(), device_title()
    history = read_history(store.root, device)
    estimator = Estimator(plan, store, history, asked.questions(), texts.of)
    trainable = [
        node for chain in plan.chains for _, node in chain.slots if node.settings is not None
    ]
    return Forecast(
        plan=plan,
        device=device,
        nodes=node_forecasts(plan, store, estimator),
        rows=seen_rows(plan),
        avoided=len(trainable) - len({node.id for node in trainable}),
        trainings_known=len(history.trainings),
        evaluations_known=len(history.evaluations),
        sensitivity=[
            *sensitivity(store.root, plan.contract_id, asked.counts(), step_tests(plan)),
            *of_variants(plan, asked.counts()),
        ],
        advice=[
            *_precision_advice(plan),
            *other_dtype_advice(plan, store),
            *_checkpoint_advice(plan),
            *(Advice(note.about, "warning", note.text) for note in plan_notes(plan)),
            *group_advice(plan, store),
            *overlap_advice(plan, asked, texts),
        ],
    )


def node_forecasts(plan: Plan, store: Store, estimator: Estimator) -> list[NodeForecast]:
    """Forecast the jobs of every node."""
    return [NodeForecast(node, _jobs(node, plan, store, estimator)) for node in plan.nodes]


def _jobs(node: Node, plan: Plan, store: Store, estimator: Estimator) -> list[Job]:
    jobs = []
    if node.settings is not None:
        is_trained = store.node_folder(node).is_trained()
        jobs.append(Job(TRAIN, is_trained, estimator.training(node)))
    if node.selects is not None:
        is_selected = store.node_folder(node).is_selected()
        jobs.append(Job(SELECT, is_selected, estimator.selection(node)))
    if node.exported is not None:
        is_exported = store.node_folder(node).is_exported()
        jobs.append(Job(EXPORT, is_exported, estimator.export(node), estimator.disk_bytes(node)))
    jobs.append(Job(EVALUATE, store.is_evaluated(node, plan), estimator.evaluation(node)))
    for repeated, repeat in plan.repeats:
        if repeated.id == node.id:
            done = store.is_evaluated(node, plan, repeat)
            jobs.append(Job(REPEAT, done, estimator.evaluation(node, repeat), repeat=repeat))
    return jobs


def _checkpoint_advice(plan: Plan) -> list[Advice]:
    return [Advice("checkpoints", "warning", text) for text in trained_on_other_models(plan)]


def _precision_advice(plan: Plan) -> list[Advice]:
    on, dtypes = plan.model.device, {node.base.dtype for node in plan.nodes}
    native = on != "cuda" or precision.gpu_has_bfloat16()
    return [
        advice for dtype in sorted(dtypes) for advice in precision_advice(dtype, on, native=native)
    ]
