"""The passport of a run's judge: over all the pairs it judged in the run's stages, with what they
cost together.
"""

from collections.abc import Iterator, Sequence

from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Passport, Usage, Verdict
from stagelift.reports.records import RunRecord, StageRecord


def run_passport(run: RunRecord) -> Passport | None:
    """Sum up the stages' passports; None where nothing was judged.

    An answer that two stages used counts in both.
    """
    evaluations = [stage.evaluation for stage in run.stages]
    passports = [
        evaluation.passport for evaluation in evaluations if evaluation.passport is not None
    ]
    if not passports:
        return None
    verdicts = [verdict for stage in run.stages for verdict in _verdicts(stage, run)]
    usage = _total([known.usage for known in passports])
    first, last = passports[0], passports[-1]
    return passport(first.judge, first.prompt_hash, verdicts, last.gold, usage)


def _verdicts(stage: StageRecord, run: RunRecord) -> Iterator[Verdict]:
    """Yield each verdict once: the stage before the first trained one is base itself."""
    is_first_trained = stage.parent == run.base(stage).name
    for name, verdicts in stage.verdicts.items():
        if not (is_first_trained and measure(name).against == "previous"):
            yield from verdicts.values()


def _total(usages: Sequence[Usage | None]) -> Usage | None:
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    costs = [usage.cost_usd for usage in known if usage.cost_usd is not None]
    return Usage(
        requests=sum(usage.requests for usage in known),
        cached=sum(usage.cached for usage in known),
        prompt_tokens=sum(usage.prompt_tokens for usage in known),
        completion_tokens=sum(usage.completion_tokens for usage in known),
        # a part of the costs would pass for all of them
        cost_usd=sum(costs) if len(costs) == len(known) else None,
        asked=tuple(dict.fromkeys(said for usage in known for said in usage.asked)),
    )
