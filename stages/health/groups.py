"""Groups of completions that all got the same reward, counted over logged steps."""

from fractions import Fraction
from functools import cache
from statistics import fmean
from typing import Any

from stagelift.evals.records import Metric
from stagelift.stages.health.logged import Logged

# TRL's name for the share of a logged step's groups, and ours for how many these are
SILENT_SHARE, GROUPS = "frac_reward_zero_std", "groups"
# of so many groups a share is told from one of fewer
_FINEST = 1000


def groups_in(args: Any, steps: int) -> int:
    """Count the groups of so many steps of TRL's; a generation lasts for one step or several.

    Where rewards are scaled by the whole batch, all of its groups have signal or none: it is one.
    """
    taken = steps * args.gradient_accumulation_steps
    generations: int = max(1, round(taken / (args.steps_per_generation * args.num_iterations)))
    if getattr(args, "scale_rewards", None) == "batch":
        return generations
    in_one: int = args.generation_batch_size // args.num_generations
    return generations * in_one


def silent_share(logged: Logged, values: int) -> float | None:
    """Return the mean share of the last logged values; None where there are not so many."""
    shares = logged.last(SILENT_SHARE, values)
    return fmean(shares) if shares else None


def silent_groups(logged: Logged, least: int, most: int) -> Metric | None:
    """Return the share of the groups of the last `most` logged values at the most, with its
    interval; None below the `least`.

    Rows of an earlier version do not say how many groups there are: there are as many as the finest
    of these shares is of, at the least.
    """
    values = min(most, logged.count(SILENT_SHARE))
    if values < least:
        return None
    shares = logged.last(SILENT_SHARE, values)
    counts = logged.last(GROUPS, values) or [float(_finest(shares))] * values
    silent = sum(share * count for share, count in zip(shares, counts, strict=True))
    every = sum(counts)
    # what somebody else wrote into a record may be no shares
    return _share(round(silent), round(every)) if 0 <= silent <= every >= 1 else None


# asked at every logged step, and mostly of the same few numbers
@cache
def _share(silent: int, groups: int) -> Metric:
    # scipy takes a second to import, and whoever reads thresholds only does without
    from stagelift.evals.stats.estimates import proportion

    return proportion(silent, groups)


def _finest(shares: list[float]) -> int:
    return max(Fraction(share).limit_denominator(_FINEST).denominator for share in shares)
