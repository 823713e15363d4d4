"""The sign that a stage which learns preferences makes even the chosen answers unlikely."""

from statistics import fmean

from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

_VALUES = 5


def _fall_of_chosen(logged: Logged) -> Reading | None:
    """The implicit reward compares the same answers: lengths of batches are no part of it."""
    logps, rewards = logged.last("logps/chosen", _VALUES), logged.last("rewards/chosen", _VALUES)
    beta = logged.last("beta", 1)
    if not logps or not rewards or not beta or beta[0] <= 0:
        return None
    now = fmean(logps)
    start = now - fmean(rewards) / beta[0]
    if start >= 0:
        return None
    text = (
        f"The log-probability of the chosen answers fell to {now:.4g}, from {start:.4g} before "
        "the stage: the margin grows while both answers are unlearnt."
    )
    return Reading(now / start, text)


PREFERENCES = (
    Sign(
        name="chosen answers unlearnt",
        of="logps/chosen",
        threshold=1.5,
        when=f"mean of {_VALUES} logged values, as a multiple of that of the same answers before "
        "the stage, which is rewards/chosen / beta more",
        read=_fall_of_chosen,
        source="Pal et al. 2024 (Smaug, arXiv:2402.13228) and Razin et al. 2024 (arXiv:2410.08847) "
        "describe it; in published trainings of zephyr-7b-dpo 1.2 went with a good model, and 3 "
        "was overtrained",
        remedy="Lower learning_rate, raise beta, or add sft to loss_type.",
    ),
)
