"""Signs that numbers are lost: a loss, gradients or weights that are no longer finite, or gradients
that are gone.
"""

from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

# logged beside TRL's own names where it is so; the sign's name, too
LOST_WEIGHTS = "weights lost"
LOST = "The trained weights hold numbers that are not finite, and never recover from it."


def _loss(logged: Logged) -> Reading:
    return Reading(logged.not_finite_in_a_row("loss"), "The loss is not a finite number.")


def _gradients(logged: Logged) -> Reading:
    times = logged.not_finite_in_a_row("grad_norm")
    text = f"The gradients of {times} logged steps in a row are not finite: nothing is learnt."
    return Reading(times, text)


def _no_gradients(logged: Logged) -> Reading | None:
    """With rewards it is their differences that are missing, which another sign says."""
    norms = logged.last("grad_norm", _STEPS)
    if not norms or logged.has("reward"):
        return None
    share = norms.count(0) / _STEPS
    return Reading(share, f"The gradients of {_STEPS} logged steps are 0: nothing is learnt.")


def _weights(logged: Logged) -> Reading:
    return Reading(logged.count(LOST_WEIGHTS), LOST)


_STEPS = 5
LOWER = "Lower learning_rate, or train in bfloat16 or float32 where it is float16."
NUMBERS = (
    Sign(
        name=LOST_WEIGHTS,
        of=LOST_WEIGHTS,
        threshold=1,
        when="at once",
        read=_weights,
        source="IEEE 754: a NaN stays one in every sum",
        remedy=LOWER,
    ),
    Sign(
        name="loss not finite",
        of="loss",
        threshold=1,
        when="at once",
        read=_loss,
        source="IEEE 754; transformers' logging_nan_inf_filter would hide it, so it is off",
        remedy=LOWER,
    ),
    Sign(
        name="gradients not finite",
        of="grad_norm",
        threshold=20,
        when="that many logged steps in a row",
        read=_gradients,
        source="torch.amp.GradScaler: in float16 it skips such a step and halves its scale, from "
        "65536 to 1 in 16 steps; more of them are no search for a scale",
        remedy=LOWER,
    ),
    Sign(
        name="no gradients",
        of="grad_norm",
        threshold=1,
        when=f"the share that is exactly 0, of {_STEPS} logged values",
        read=_no_gradients,
        source="a step along a gradient of 0 goes nowhere",
        remedy="Lower learning_rate where the loss is high; else see whether rows have anything to "
        "learn, which is not cut off by max_length.",
    ),
)
