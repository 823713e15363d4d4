"""The sign that a loss grows, of stages whose loss means something: those without rewards."""

from math import sqrt

from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

_ERRORS = 4


def _loss_against_start(logged: Logged) -> Reading | None:
    """With rewards the loss is no measure of anything: it starts at 0 and may have either sign."""
    losses = logged.series("loss")
    last, *before = losses.windows() or [0]
    if logged.has("reward") or last < 1:
        return None
    count, first = losses.window(), losses.numbers[0]
    now, start = losses.mean(last, count), losses.mean(0, count)
    bases = [start] if before and now - start >= _ERRORS * losses.error(0, last) else []
    # all may be lost at the second step: the first loss stands apart from any noise then
    if now - first >= _ERRORS * sqrt(losses.variance(last, count)):
        bases.append(2 * first)
    if not bases or min(bases) <= 0:
        return None
    began = start if before else first
    return Reading(now / min(bases), f"The loss grew to {now:.3g}; the stage began at {began:.3g}.")


LOSSES = (
    Sign(
        name="loss grows",
        of="loss",
        threshold=1.5,
        when="mean of the last fifth of the logged values, at least 10, as a multiple of as many "
        f"at the start, where it is {_ERRORS} standard errors more; or of twice the very first, "
        "where that lies as many standard deviations below",
        read=_loss_against_start,
        source="DPO begins at ln 2 = 0.69, which is what knowing nothing costs (Rafailov et al. "
        "2023); for others ours, simulated",
        remedy="Lower learning_rate, or give it warm-up steps.",
    ),
)
