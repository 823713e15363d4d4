"""The sign that a stage which learns preferences makes even the chosen answers unlikely."""

from statistics import fmean

from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

_VALUES = 5


def _fall_of_chosen(logged: Logged) -> Reading | None:
    """The implicit reward says that the fall is one: it compares the same answers."""
    means = logged.now_and_at_start("logps/chosen", _VALUES, _VALUES)
    rewards = logged.last("rewards/chosen", _VALUES)
    if means is None or not rewards or fmean(rewards) >= 0 or means[1] >= 0:
        return None
    now, start = means
    text = (
        f"The log-probability of the chosen answers fell to {now:.4g}, from {start:.4g} at the "
        "start: the margin grows while both answers are unlearnt."
    )
    return Reading(now / start, text)


PREFERENCES = (
    Sign(
        name="chosen answers unlearnt",
        of="logps/chosen",
        threshold=1.5,
        when=f"mean of {_VALUES} logged values against the first {_VALUES}, as a multiple, where "
        "rewards/chosen is below 0",
        read=_fall_of_chosen,
        source="Pal et al. 2024 (Smaug, arXiv:2402.13228) and Razin et al. 2024 (arXiv:2410.08847) "
        "describe it; in published trainings of zephyr-7b-dpo 1.2 went with a good model, and 3 "
        "was overtrained",
        remedy="Lower learning_rate, raise beta, or add sft to loss_type.",
    ),
)
