"""The passport of a run's judge: over all the pairs it judged in the run's stages, with what they
cost together.
"""

from collections.abc import Sequence

from stagelift.evals.judges.passport import passport
from stagelift.evals.metrics.measures import measure
from stagelift.evals.records import Passport, Usage
from stagelift.reports.records import RunRecord


def run_passport(run: RunRecord) -> Passport | None:
    """Sum up the stages' passports; None where nothing was judged.

    An answer that two stages used counts in both.
    """
    found = [
        stage.evaluation.passport for stage in run.stages if stage.evaluation.passport is not None
    ]
    if not found:
        return None
    verdicts = [
        verdict
        for stage in run.stages
        for name, found_here in stage.verdicts.items()
        if stage.parent != run.base(stage).name
        # for the first trained stage they are one
        or measure(name).against != "previous"
        for verdict in found_here.values()
    ]
    return passport(
        found[0].judge,
        found[0].prompt_hash,
        verdicts,
        found[-1].gold,
        _total([p.usage for p in found]),
    )


def _total(usages: Sequence[Usage | None]) -> Usage | None:
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    costs = [usage.cost_usd for usage in known]
    return Usage(
        requests=sum(usage.requests for usage in known),
        cached=sum(usage.cached for usage in known),
        prompt_tokens=sum(usage.prompt_tokens for usage in known),
        completion_tokens=sum(usage.completion_tokens for usage in known),
        cost_usd=None if None in costs else sum(cost for cost in costs if cost is not None),
    )
