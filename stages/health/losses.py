"""The sign that a loss grows, of stages whose loss means something: those without rewards."""

from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

_VALUES = 5


def _loss_against_start(logged: Logged) -> Reading | None:
    """With rewards the loss is no measure of anything: it starts at 0 and may have either sign."""
    means, first = logged.now_and_at_start("loss", _VALUES, _VALUES), logged.first("loss", 1)
    if means is None or logged.has("reward"):
        return None
    # one batch is noise, but a training may be lost at its second step
    now, start = means[0], min(means[1], 2 * first[0])
    if start <= 0:
        return None
    return Reading(now / start, f"The loss grew to {now:.3g}; the stage began at {first[0]:.3g}.")


LOSSES = (
    Sign(
        name="loss grows",
        of="loss",
        threshold=1.5,
        when=f"mean of {_VALUES} logged values as a multiple of the first {_VALUES}, or of twice "
        "the very first",
        read=_loss_against_start,
        source="DPO begins at ln 2 = 0.69, which is what knowing nothing costs (Rafailov et al. "
        "2023); for others ours: healthy runs stayed below 1.1",
        remedy="Lower learning_rate, or give it warm-up steps.",
    ),
)
