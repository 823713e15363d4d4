"""What a run will take, said before it begins and held against it while it goes on."""

from collections.abc import Mapping
from dataclasses import dataclass

from stagelift.harness.environment import device_title
from stagelift.harness.errors import StageliftError
from stagelift.harness.forecast.estimate import Cost, Estimator
from stagelift.harness.forecast.forecast import node_forecasts
from stagelift.harness.forecast.history import read_history
from stagelift.harness.forecast.material import Asked, TrainedOn
from stagelift.harness.forecast.total import GROUNDS, total_cost
from stagelift.harness.graph.jobs import job_name
from stagelift.harness.graph.node import Plan
from stagelift.harness.graph.store import Store
from stagelift.reports.words.counting import duration, number_of


@dataclass(frozen=True)
class Expected:
    """The jobs that are missing of a plan, by name; None where nothing can be said of one."""

    costs: Mapping[str, Cost | None]

    def seconds(self) -> dict[str, float | None]:
        """Return how long each job should take."""
        return {job: None if cost is None else cost.seconds for job, cost in self.costs.items()}

    def sentence(self, at_once: int = 1) -> str:
        """Say what the run will take; "" where nothing is left to do."""
        if not self.costs:
            return ""
        jobs, total = number_of(len(self.costs), "job"), total_cost(list(self.costs.values()))
        if total is None:
            return f"{jobs}; how long is not known before the first of them is done."
        said = f"{jobs}, {_span(total, at_once)}, {GROUNDS[total.basis]}"
        unknown = sum(cost is None for cost in self.costs.values())
        left_out = f"; {number_of(unknown, 'job')} left out that cannot be estimated"
        return f"{said}{left_out if unknown else ''}."


def expected(plan: Plan, store: Store, *, here: bool = True) -> Expected:
    """Forecast what is missing of a plan, as `stagelift plan` does; of what is done elsewhere
    nothing is known `here`.

    Loads no model. An estimate is no reason to stop: where something fails, nothing is known.
    """
    if not store.missing_work(plan):
        return Expected({})
    history = read_history(store.root, device_title())
    questions, texts = Asked(plan.settings).questions(), TrainedOn()
    try:
        nodes = node_forecasts(plan, store, Estimator(plan, store, history, questions, texts.of))
    except (OSError, ValueError, StageliftError):
        return Expected({})
    return Expected(
        {
            job_name(job.what, forecast.node, job.repeat): job.cost if here else None
            for forecast in nodes
            for job in forecast.jobs
            if not job.done
        }
    )


def _span(total: Cost, at_once: int) -> str:
    """Write how long it should take, and between which times that may lie."""
    beside = f", {at_once} side by side" if at_once > 1 else ""
    low, likely, high = (
        duration(seconds / at_once) for seconds in (total.low, total.seconds, total.high)
    )
    between = f" ({low} to {high})" if low != high else ""
    return f"about {likely}{between} here{beside}"
