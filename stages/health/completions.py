"""Signs that a stage is ill that learns from completions of its own, by their rewards, lengths and
entropy.
"""

from statistics import fmean, median

from stagelift.stages.health.groups import SILENT_SHARE, silent_groups, silent_share
from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Reading, Sign

SILENT = "carry no signal: their completions all got the same reward, so they teach nothing"
# what a forecast warns of, too
MANY_SILENT = 0.5
_NEARLY_ALL, _SOME = 0.9, 0.2
MORE_SIGNAL = "Raise num_generations, or train on problems that are neither too hard nor too easy."
_START, _FEW, _MANY, _BACK = 2, 5, 10, 50
_HALF, _TENTH = 0.5, 0.1


def _no_signal(logged: Logged) -> Reading | None:
    share = silent_share(logged, _FEW)
    if share is None:
        return None
    return Reading(share, f"{share:.0%} of the groups of the last {_FEW} logged steps {SILENT}.")


def _little_signal(logged: Logged) -> Reading | None:
    """Read how many groups there are without signal at the least, as far as those seen can tell;
    nothing where another sign says that it is nearly all of them.
    """
    nearly_all = silent_share(logged, _FEW)
    if nearly_all is None or nearly_all >= _NEARLY_ALL:
        return None
    found = silent_groups(logged, _FEW, _BACK)
    if found is None:
        return None
    text = (
        f"{found.value:.0%} [{100 * found.low:.0f}, {100 * found.high:.0f}] of the groups of the "
        f"last logged steps (n={found.n}) {SILENT}."
    )
    return Reading(found.low, text)


def _lost_entropy(logged: Logged) -> Reading | None:
    """Others log an entropy too, which is meant to fall: that of texts they are given."""
    means = logged.now_and_at_start("entropy", _FEW, _START)
    if means is None or not logged.has("reward") or means[1] <= 0:
        return None
    now, start = means
    text = (
        f"The entropy fell to {now:.3g} nats a token, from {start:.3g} at the start: completions "
        "of a prompt are nearly the same."
    )
    return Reading(1 - now / start, text)


def _gained_entropy(logged: Logged) -> Reading | None:
    means = logged.now_and_at_start("entropy", _FEW, _START)
    if means is None or not logged.has("reward"):
        return None
    now, start = means
    text = (
        f"The entropy rose to {now:.3g} nats a token, from {start:.3g} at the start: completions "
        "come apart."
    )
    return Reading(now - start, text)


def _high_kl(logged: Logged) -> Reading | None:
    values = logged.last("kl", _FEW)
    if not values or not logged.has("reward"):
        return None
    kl = fmean(values)
    text = f"The KL divergence from the stage before is {kl:.3g} nats a token."
    return Reading(kl, text)


def _kl_jump(logged: Logged) -> Reading | None:
    last, before = logged.last("kl", 2), logged.last("kl", _MANY, before=2)
    if not last or not before or not logged.has("reward") or fmean(last) < 0.1:
        return None
    now, usual = fmean(last), max(median(before), 1e-9)
    text = f"The KL divergence jumped to {now:.3g} nats a token, from {usual:.3g} before."
    return Reading(now / usual, text)


def _reward_jump(logged: Logged) -> Reading | None:
    """A rise within two logged steps, in standard deviations of completions' rewards."""
    last, before = logged.last("reward", 2), logged.last("reward", _MANY, before=2)
    spreads = logged.last("reward_std", _MANY + 2)
    if not last or not before or not spreads or max(spreads) <= 0:
        return None
    now, usual = fmean(last), fmean(before)
    text = f"The reward jumped to {now:.3g}, from {usual:.3g} in the steps before."
    return Reading((now - usual) / max(spreads), text)


def _reward_fall(logged: Logged) -> Reading | None:
    """The fall from the best window so far to the last, in standard errors of such a difference.

    What is small beside the spread of completions, or beside the reward itself, is none.
    """
    rewards, spreads = logged.series("reward"), logged.last("reward_std", _MANY)
    last, *before = rewards.windows() or [0]
    if not before or not spreads:
        return None
    count = rewards.window()
    best = max(before, key=lambda start: rewards.mean(start, count))
    top, now = rewards.mean(best, count), rewards.mean(last, count)
    usual = logged.series("reward_std")
    least = max(_HALF * usual.mean(0, len(usual.numbers)), _TENTH * max(abs(top), abs(now)))
    if top - now < least:
        return None
    value = (top - now) / rewards.error(best, last)
    return Reading(value, f"The reward fell to {now:.3g}, from {top:.3g}.")


def _growth_of_length(logged: Logged) -> Reading | None:
    """Growth that ends by itself is how working is learnt: only that into the limit counts."""
    name = "completions/mean_length"
    last, first = logged.last(name, _FEW), logged.first(name, _START)
    cut_off = logged.last("completions/clipped_ratio", _FEW)
    if logged.count(name) < 2 * _FEW or first[0] <= 0 or not cut_off or fmean(cut_off) < _SOME:
        return None
    earlier = logged.last(name, _FEW, before=_BACK)
    # one batch is noise, but a training may be lost at its second step
    start = fmean(earlier) if earlier else min(fmean(first), 2 * first[0])
    now, then = fmean(last), f"{first[0]:.0f} at the start"
    if earlier:
        then = f"{start:.0f} {_BACK} logged steps before"
    text = f"Completions grew to {now:.0f} tokens, from {then}, and run into the limit."
    return Reading(now / start, text)


def _cut_off(logged: Logged) -> Reading | None:
    shares = logged.last("completions/clipped_ratio", _MANY)
    if not shares:
        return None
    share = fmean(shares)
    text = (
        f"{share:.0%} of the completions of the last {_MANY} logged steps were cut off at "
        "max_completion_length, before they came to an end."
    )
    return Reading(share, text)


COMPLETIONS = (
    Sign(
        name="few groups with signal",
        of=SILENT_SHARE,
        threshold=MANY_SILENT,
        when="the lower end of the share's 95% interval (Wilson), over the groups of the last "
        f"{_FEW} to {_BACK} logged values",
        read=_little_signal,
        source="Yu et al. 2025 (DAPO, arXiv:2503.14476) sample anew for such groups; where they "
        "are half, half of the completions are paid for in vain",
        remedy=MORE_SIGNAL,
        ends=False,
    ),
    Sign(
        name="no signal",
        of=SILENT_SHARE,
        threshold=_NEARLY_ALL,
        when=f"mean of {_FEW} logged values",
        read=_no_signal,
        source="Le et al. 2025 (arXiv:2509.21880) saw 30% to 99% in trainings; TRL logs it as "
        "frac_reward_zero_std",
        remedy=f"See what the rewards pay for. {MORE_SIGNAL}",
    ),
    Sign(
        name="entropy collapse",
        of="entropy",
        threshold=0.9,
        when=f"the share that is lost, mean of {_FEW} logged values against the first {_START}",
        read=_lost_entropy,
        source="Cui et al. 2025 (arXiv:2505.22617): 73% was used up while 76% of the gain was "
        "made, and little was gained after; Yu et al. 2025 (DAPO)",
        remedy="Raise epsilon_high (0.28 in DAPO) or temperature, or lower learning_rate.",
    ),
    Sign(
        name="entropy explosion",
        of="entropy",
        threshold=1.0,
        when=f"nats a token more, mean of {_FEW} logged values against the first {_START}",
        read=_gained_entropy,
        source="ours, a guess: in short trainings of small models that went well it rose by less "
        "than 0.3",
        remedy="Lower learning_rate, or hold the policy with beta.",
    ),
    Sign(
        name="high KL",
        of="kl",
        threshold=1.0,
        when=f"nats a token, mean of {_FEW} logged values",
        read=_high_kl,
        source="Gao et al. 2022 (arXiv:2210.10760): a learnt reward was over-optimised before 100 "
        "nats a response, which is 100 tokens at 1",
        remedy="Lower learning_rate, or raise beta.",
    ),
    Sign(
        name="KL jump",
        of="kl",
        threshold=10,
        when=f"mean of 2 logged values, of at least 0.1, against the median of {_MANY} before",
        read=_kl_jump,
        source="TRL issue 3015 and OpenRLHF issue 931: spikes by orders of magnitude, before "
        "trainings failed",
        remedy="Lower learning_rate or max_grad_norm, or raise beta.",
    ),
    Sign(
        name="reward jump",
        of="reward",
        threshold=2,
        when=f"mean of 2 logged values against the mean of {_MANY} before, in reward_std",
        read=_reward_jump,
        source="Pan et al. 2022 (arXiv:2201.03544): where a reward is hacked, it shows as a sudden "
        "step",
        remedy="Read completions: a reward that is suddenly easy may pay for something else.",
        ends=False,
    ),
    Sign(
        name="reward falls",
        of="reward",
        threshold=5,
        when="mean of the last fifth of the logged values, at least 10, against the best of as "
        "many before, in standard errors of the difference; where it is half a reward_std or more, "
        "and a tenth of the reward",
        read=_reward_fall,
        source="ours, simulated",
        remedy="Lower learning_rate, or use select to keep the checkpoint before.",
    ),
    Sign(
        name="length explosion",
        of="completions/mean_length",
        threshold=2,
        when=f"mean of {_FEW} logged values against {_FEW} that are {_BACK} before, or where there "
        f"are none against the first {_START}, or twice the very first; where {_SOME:.0%} or more "
        "are cut off",
        read=_growth_of_length,
        source="Liu et al. 2025 (Dr. GRPO, arXiv:2503.20783): a bias of the loss makes wrong "
        "completions longer; where reasoning is learnt, doubling took hundreds of steps "
        "(DeepSeek-R1, arXiv:2501.12948)",
        remedy="See whether a reward pays for length, or set loss_type to dr_grpo.",
    ),
    Sign(
        name="cut off",
        of="completions/clipped_ratio",
        threshold=0.5,
        when=f"mean of {_MANY} logged values",
        read=_cut_off,
        source="Yu et al. 2025 (DAPO): what is cut off is rewarded for where it was cut, which is "
        "noise",
        remedy="Raise max_completion_length, or set mask_truncated_completions.",
    ),
)
