"""What each metric is: one record for every name that an evaluation or an import can give.

Whoever shows, compares or gates a metric asks its record, and takes no name apart. Names are made
and read in this module alone; those of lm-eval's tasks are made where lm-eval is run.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from math import inf
from typing import Literal

from stagelift.evals.nearest import did_you_mean
from stagelift.evals.records import Group, Role

Family = Literal[
    "accuracy",
    "sampled accuracy",
    "pass@k",
    "win rate",
    "win rate by votes",
    "preference accuracy",
    "length",
    "cut off",
    "time",
    "lm-eval task",
    "own score",
    "retention",
    "looping",
]
Unit = Literal["share", "tokens", "characters", "seconds", "points", "bits"]
Direction = Literal["more", "less"]
Quantile = Literal["median", "p90"]
Bounds = tuple[float, float]


@dataclass(frozen=True)
class Measure:
    """What a metric is.

    `name` is what result.json calls it, `bare` what it is called without the prompts it is over.
    `group` says which prompts these are; the tasks of lm-eval ask their own, so theirs is None.
    `bounds` are the least and the most it can be, None where it has no such ends or they are not
    known. `better` says which direction is better, None where neither is.

    A report calls it by `title`, with the `reading` (how it was read) in small print, and a summary
    by its `noun`: what has none is not in the summary. A `headline` stands in short tables, too.

    A win rate is `against` a model, and may be estimated at `equal_lengths`. A quantile is shown
    beside the mean that it is a `quantile_of`. What `stands_in_for` another metric says the same
    where that one is not known. A check gates it by default where it has a `margin`: percentage
    points of a share, percent of anything else; what it costs is `supporting` there.

    It is the mean of a `field` of the scores, where one field says it. `k` is that of pass@k, and
    `task` is the user's own task that a score is of, None where it is the evaluation's main one.
    """

    name: str
    bare: str
    family: Family
    group: Group | None
    unit: Unit
    bounds: Bounds | None
    better: Direction | None
    title: str
    reading: str
    noun: str | None = None
    headline: bool = False
    against: Role | None = None
    equal_lengths: bool = False
    quantile: Quantile | None = None
    quantile_of: str | None = None
    stands_in_for: str | None = None
    margin: float | None = None
    field: str | None = None
    k: int | None = None
    task: str | None = None
    supporting: bool = False

    @property
    def ends(self) -> Bounds | None:
        """Return the least and the most that an interval may reach to: `bounds`, and of what is
        counted by ourselves at least nothing. What a metric of others can be is not known.
        """
        if self.bounds is None and self.family in ("length", "time", "retention"):
            return 0.0, inf
        return self.bounds


SHARE: Bounds = (0.0, 1.0)
SAMPLED_ACCURACY = "sampled_accuracy"
_SUFFIXES: dict[Group, str] = {
    "test": "",
    "sampled": "_sampled",
    "held_out": "_held_out",
    "preference": "_preference",
    "task": "_task",
    "instructions": "_instructions",
    "choices": "_choices",
    "passages": "_passages",
}
_PASS = re.compile(r"pass@(?P<k>[1-9]\d*)(_(?P<group>held_out|sampled))?")
_TASK = re.compile(r"(?P<task>.+)/(?P<metric>[^/]+)", re.DOTALL)
BUILT_IN_SCORERS = ("exact", "contains", "choice", "regex", "json", "math")
_NUMBER = r"-?\d[\d.]*(?:e[-+]?\d+)?"
_OWN = re.compile(
    rf"((?P<task>[A-Za-z0-9][\w.-]*):)?(?P<scorer>{'|'.join(BUILT_IN_SCORERS)}|[^\W\d]\w*(\.\w+)+)"
    rf"(-(?P<number>[1-9]\d*))?(@(any|(?P<low>{_NUMBER})\.\.(?P<high>{_NUMBER})))?"
)
# words in the names of lm-eval's metrics, and of other tools'
_SHARES = {"acc", "em", "match", "f1", "pass", "accuracy", "rate"}
_BETTER_SMALL = {"perplexity", "byte", "ppl", "wer", "ter", "brier"}
_POINTS = "points"
_UNITS: dict[str, Unit] = {"characters": "characters", "tokens": "tokens", "seconds": "seconds"}
# what a name ends in whose words do not tell
_SAID: dict[str, Direction] = {"higher is better": "more", "lower is better": "less"}


class UnknownMetricError(ValueError):
    """A name that no evaluation and no import gives."""


@cache
def measure(name: str) -> Measure:
    """Look up what a metric is. Raises UnknownMetricError, which names the nearest."""
    if name in _BY_NAME:
        return _BY_NAME[name]
    if solved := _PASS.fullmatch(name):
        return _pass_at(int(solved["k"]), _group_named(solved["group"]))
    if task := _TASK.fullmatch(name):
        return _of_task(name, task["task"], task["metric"])
    if own := _OWN.fullmatch(name):
        return _own_score(name, own)
    passes = [in_group(pass_name(1), group) for group in ("test", "held_out", "sampled")]
    known = [*_BY_NAME, *passes]
    usual = ", ".join(each.name for each in FIXED if each.margin is not None)
    raise UnknownMetricError(
        f"There is no metric '{name}'.{did_you_mean(name, known) or f' The usual ones: {usual}.'} "
        "Metrics of lm-eval's tasks are named like 'mmlu/acc', scores of your own like 'exact' or "
        "'labels:exact'."
    )


def _group_named(suffix: str | None) -> Group:
    match suffix:
        case "held_out" | "sampled":
            return suffix
        case _:
            return "test"


def in_group(name: str, group: Group) -> str:
    """Name a metric of the test problems as it is called over other prompts."""
    return f"{name}{_SUFFIXES[group]}"


def pass_name(k: int) -> str:
    """Name pass@k."""
    return f"pass@{k}"


def own_score_name(scorer: str, task: str | None, number: int, bounds: Bounds | None) -> str:
    """Name a score of a user's task: `exact`, the second one `exact-2`, of a further task
    `labels:exact`; what is no share says its ends, as `my_scorers.rubric@1..5` or `@any`.
    """
    place = "" if task is None else f"{task}:"
    again = "" if number == 1 else f"-{number}"
    ends = ""
    if bounds is None:
        ends = "@any"
    elif bounds != SHARE:
        ends = f"@{bounds[0]:g}..{bounds[1]:g}"
    return f"{place}{scorer}{again}{ends}"


def leading(names: Iterable[str]) -> str | None:
    """Name the metric of the main task that a run is read for: accuracy, else the first score of
    the user's own; None where there is neither.
    """
    present = list(names)
    if "accuracy" in present:
        return "accuracy"
    return next((name for name in present if is_of_own_task(name, None)), None)


def is_of_own_task(name: str, task: str | None) -> bool:
    """Say whether a metric is a score of that task of the user's; None is the main one."""
    known = measure(name)
    return known.family == "own score" and known.task == task


def parted(metric: str) -> tuple[str, str]:
    """Part the name of a task's metric: itself, and its filter ("" where there is none)."""
    name, _, filtered = metric.partition(",")
    return name, filtered


def directed(metric: str, better: Direction) -> str:
    """Name a task's metric so that its name says which direction is better, where it does not."""
    if _direction(metric) == better:
        return metric
    return next(f"{metric},{said}" for said, direction in _SAID.items() if direction == better)


def in_points(metric: str) -> str:
    """Name a task's metric that is called a share (an accuracy in percent, say) and is none."""
    if _unit(metric) != "share":
        return metric
    name, filtered = parted(metric)
    return f"{name} {_POINTS},{filtered}" if filtered else f"{name} {_POINTS}"


def win_rate_name(against: Role, group: Group, *, equal_lengths: bool = False) -> str:
    """Name a win rate: `win_rate_base`, `win_rate_lc_previous`, `win_rate_base_preference`;
    `win_rate` is against a reference.
    """
    controlled = "_lc" if equal_lengths else ""
    opponent = "" if against == "reference" else f"_{against}"
    return in_group(f"win_rate{controlled}{opponent}", group)


def by_votes(name: str) -> str:
    """Name what a win rate becomes when people's votes correct it: `win_rate_voted_base`."""
    rate = measure(name)
    assert rate.against is not None and rate.group is not None, f"{name} is no win rate"
    return _voted_name(rate.against, rate.group)


def _voted_name(against: Role, group: Group) -> str:
    opponent = "" if against == "reference" else f"_{against}"
    return in_group(f"win_rate_voted{opponent}", group)


def at_equal_lengths(name: str) -> str:
    """Name the win rate at equal lengths that belongs to a win rate."""
    return _win_rate_like(name, equal_lengths=True)


def as_judged(name: str) -> str:
    """Name what a metric is computed from: of a win rate at equal lengths the win rate itself."""
    if not measure(name).equal_lengths:
        return name
    return _win_rate_like(name, equal_lengths=False)


def whoever_it_is_against(name: str) -> str:
    """Name a win rate without its opponent; any other metric keeps its name."""
    rate = measure(name)
    if rate.against is None or rate.group is None:
        return name
    return win_rate_name("reference", rate.group, equal_lengths=rate.equal_lengths)


def quantiles(name: str) -> list[Measure]:
    """Return the quantiles that are shown beside a mean."""
    return [known for known in FIXED if known.quantile_of == name]


def of_family(family: Family, group: Group) -> list[Measure]:
    """Return the metrics of a family that are over these prompts, quantiles left out."""
    return [
        known
        for known in FIXED
        if (known.family, known.group) == (family, group) and known.quantile is None
    ]


def without_stand_ins(names: Iterable[str]) -> list[str]:
    """Leave out what stands in for a metric that is there: characters say what tokens say."""
    present = list(names)
    return [name for name in present if measure(name).stands_in_for not in present]


def rows(names: Iterable[str], *, with_previous: bool) -> list[str]:
    """Name the metrics that have a row of their own in a table, in the order of a report.

    Quantiles stand in their mean's. Where no stage was trained on another, the stage before is
    base, and win rates against it say nothing new.
    """
    return [
        name
        for name in ordered(without_stand_ins(names))
        if measure(name).quantile is None and (with_previous or measure(name).against != "previous")
    ]


def ordered(names: Iterable[str]) -> list[str]:
    """Put metrics in the order of a report: accuracy, pass@k, then those that are left of `FIXED`,
    then lm-eval's tasks.
    """
    return sorted(set(names), key=_place)


def _place(name: str) -> tuple[int, int, str]:
    known = measure(name)
    match known.family:
        case "accuracy" | "sampled accuracy":
            return 0, FIXED.index(known), name
        case "pass@k":
            return 1, known.k or 0, name
        case "lm-eval task":
            return 3, 0, name
        case "own score":
            return (0, -1, name) if known.task is None else (3, 0, name)
        case _:
            return 2, FIXED.index(known), name


def _win_rate_like(name: str, *, equal_lengths: bool) -> str:
    rate = measure(name)
    assert rate.against is not None and rate.group is not None, f"{name} is no win rate"
    return win_rate_name(rate.against, rate.group, equal_lengths=equal_lengths)


def _accuracy(group: Group, bare: str, reading: str, field: str) -> Measure:
    title = "held-out accuracy" if group == "held_out" else "accuracy"
    # the other readings are shown beside it, and say nothing else in most runs
    is_ours = field == "correct"
    return Measure(
        name=in_group(bare, group),
        bare=bare,
        family="accuracy",
        group=group,
        unit="share",
        bounds=SHARE,
        better="more",
        title=title,
        reading=reading,
        noun=title if is_ours else None,
        headline=is_ours,
        margin=2.0 if is_ours and group == "test" else None,
        field=field,
    )


def _accuracies(group: Group) -> list[Measure]:
    return [
        _accuracy(group, "accuracy", "numeric", "correct"),
        _accuracy(group, "accuracy_strict", "strict (####)", "correct_strict"),
        _accuracy(group, "accuracy_flexible", "flexible", "correct_flexible"),
    ]


def _sampled_accuracy() -> Measure:
    """Describe the accuracy of samples, which stands in short tables, too."""
    return Measure(
        name=SAMPLED_ACCURACY,
        bare="accuracy",
        family="sampled accuracy",
        group="sampled",
        unit="share",
        bounds=SHARE,
        better="more",
        title="sampled accuracy",
        reading="at temperature 1",
        noun="sampled accuracy",
        headline=True,
        field="correct",
    )


def _win_rate(group: Group, against: Role, *, equal_lengths: bool) -> Measure:
    title = "win rate on prompts" if group == "preference" else "win rate"
    controlled = "same, equal lengths" if group == "preference" else "win rate, equal lengths"
    # beside a reference stages are compared, and a sentence of its own says how each does
    beside = " against the reference" if against == "reference" else ""
    return Measure(
        name=win_rate_name(against, group, equal_lengths=equal_lengths),
        bare=win_rate_name(against, "test", equal_lengths=equal_lengths),
        family="win rate",
        group=group,
        unit="share",
        bounds=SHARE,
        better="more",
        title=controlled if equal_lengths else title,
        reading="against the reference" if against == "reference" else f"against {against}",
        noun=None if equal_lengths else f"the {title}{beside}",
        headline=not equal_lengths,
        against=against,
        equal_lengths=equal_lengths,
        margin=3.0 if not equal_lengths and (group, against) == ("test", "base") else None,
    )


def _win_rates(group: Group) -> list[Measure]:
    opponents: tuple[Role, ...] = ("reference", "base", "previous")
    return [
        rate
        for against in opponents
        for rate in (
            _win_rate(group, against, equal_lengths=False),
            _voted(group, against),
            _win_rate(group, against, equal_lengths=True),
        )
    ]


def _voted(group: Group, against: Role) -> Measure:
    """Describe a win rate that people's votes have corrected."""
    title = "win rate by votes" if group == "test" else "win rate on prompts by votes"
    return Measure(
        name=_voted_name(against, group),
        bare=_voted_name(against, "test"),
        family="win rate by votes",
        group=group,
        unit="share",
        bounds=SHARE,
        better="more",
        title=title,
        reading="against the reference" if against == "reference" else f"against {against}",
        noun=None if against == "reference" else f"the {title}",
        headline=True,
        against=against,
    )


def _preference_accuracy(name: str, reading: str, *, headline: bool) -> Measure:
    return Measure(
        name=name,
        bare=name,
        family="preference accuracy",
        group="preference",
        unit="share",
        bounds=SHARE,
        better="more",
        title="preference accuracy",
        reading=reading,
        noun="preference accuracy" if headline else None,
        headline=headline,
    )


def _length(
    group: Group, bare: str, unit: Unit, field: str, quantile: Quantile | None = None
) -> Measure:
    """Describe a mean length or, with `quantile`, one of its quantiles."""
    ending = "" if quantile is None else f"_{quantile}"
    is_mean_of_test = group == "test" and quantile is None
    return Measure(
        name=in_group(f"{bare}{ending}", group),
        bare=f"{bare}{ending}",
        family="length",
        group=group,
        unit=unit,
        bounds=None,
        better="less",
        title="length" if group == "test" else "length on prompts",
        reading=f"{quantile or 'mean'} {unit}",
        noun="response length" if is_mean_of_test else None,
        headline=is_mean_of_test,
        quantile=quantile,
        quantile_of=None if quantile is None else in_group(bare, group),
        stands_in_for=None if unit == "tokens" else in_group(f"length_tokens{ending}", group),
        margin=10.0 if is_mean_of_test and unit == "tokens" else None,
        field=None if quantile else field,
    )


def _lengths(group: Group) -> list[Measure]:
    kinds: tuple[Quantile | None, ...] = (None, "median", "p90")
    return [
        *(_length(group, "length_tokens", "tokens", "n_tokens", kind) for kind in kinds),
        *(_length(group, "length_chars", "characters", "n_chars", kind) for kind in kinds),
    ]


def _cut_off(group: Group) -> Measure:
    is_test = group == "test"
    return Measure(
        name=in_group("truncated", group),
        bare="truncated",
        family="cut off",
        group=group,
        unit="share",
        bounds=SHARE,
        better="less",
        title="cut off" if is_test else "cut off on prompts",
        reading="at the limit",
        noun="the share of cut-off responses" if is_test else None,
        headline=is_test,
        field="truncated",
    )


def _retention(
    name: str,
    group: Group,
    title: str,
    reading: str,
    *,
    field: str | None = None,
    margin: float | None = None,
) -> Measure:
    """Describe a share of the retention suite; its margins: docs/what-a-stage-cost.md."""
    return Measure(
        name=name,
        bare=name,
        family="retention",
        group=group,
        unit="share",
        bounds=SHARE,
        better="more",
        title=title,
        reading=reading,
        headline=margin is not None,
        margin=margin,
        field=field,
        supporting=True,
    )


def _looping(group: Group, title: str) -> Measure:
    is_test = group == "test"
    return Measure(
        name=in_group("looping", group),
        bare="looping",
        family="looping",
        group=group,
        unit="share",
        bounds=SHARE,
        better="less",
        title=title,
        reading="end in a loop",
        headline=is_test,
        margin=3.0 if is_test else None,
        field="looping",
        supporting=True,
    )


# in the order of a report; pass@k stands behind the accuracies, lm-eval's tasks stand last
FIXED: tuple[Measure, ...] = (
    *_accuracies("test"),
    _sampled_accuracy(),
    *_accuracies("held_out"),
    *_win_rates("test"),
    *_win_rates("preference"),
    _preference_accuracy("preference_accuracy", "held-out pairs", headline=True),
    _preference_accuracy("preference_accuracy_per_token", "per token", headline=False),
    *_lengths("test"),
    _cut_off("test"),
    *_lengths("preference"),
    _cut_off("preference"),
    _looping("test", "looping"),
    _looping("preference", "looping on prompts"),
    _looping("instructions", "looping on instructions"),
    _retention(
        "instructions_followed",
        "instructions",
        "instructions followed",
        "IFeval's verifiers, strict",
        field="followed",
        margin=10.0,
    ),
    _retention("choice_acc_norm", "choices", "multiple choice", "by character", margin=5.0),
    _retention("choice_acc", "choices", "multiple choice", "summed"),
    Measure(
        name="bits_per_byte",
        bare="bits_per_byte",
        family="retention",
        group="passages",
        unit="bits",
        bounds=None,
        better="less",
        title="text loss",
        reading="bits per byte",
        headline=True,
        margin=2.0,
        supporting=True,
    ),
    Measure(
        name="seconds_per_response",
        bare="seconds_per_response",
        family="time",
        group="test",
        unit="seconds",
        bounds=None,
        better="less",
        title="time per response",
        reading="mean seconds, by batch",
    ),
)
_BY_NAME = {known.name: known for known in FIXED}


def _pass_at(k: int, group: Group) -> Measure:
    bare = pass_name(k)
    return Measure(
        name=in_group(bare, group),
        bare=bare,
        family="pass@k",
        group=group,
        unit="share",
        bounds=SHARE,
        better="more",
        title=f"held-out {bare}" if group == "held_out" else bare,
        reading="solved by one of k samples",
        k=k,
    )


def _of_task(name: str, task: str, metric: str) -> Measure:
    """Read the name of a metric of a task: `task/metric`, or `task/metric,filter`.

    Records of lm-eval and of other tools do not say what a metric is: its unit and direction are
    read off the words of its name, and its bounds are not known.
    """
    return Measure(
        name=name,
        bare=metric,
        family="lm-eval task",
        group=None,
        unit=_unit(metric),
        bounds=None,
        better=_direction(metric),
        title=task,
        reading=metric,
        noun=name,
        headline=True,
    )


def _own_score(name: str, read: re.Match[str]) -> Measure:
    """Read the name of a score of a user's task, which says what the score can be."""
    bounds: Bounds | None = SHARE
    reading = "own score"
    if read["low"] is not None:
        bounds = float(read["low"]), float(read["high"])
        reading = f"own score, {read['low']} to {read['high']}"
    elif name.endswith("@any"):
        bounds, reading = None, "own score, without ends"
    title = name.partition("@")[0]
    is_share_of_main = bounds == SHARE and read["task"] is None
    return Measure(
        name=name,
        bare=title.rpartition(":")[2],
        family="own score",
        group="test" if read["task"] is None else "task",
        unit="share" if bounds == SHARE else "points",
        bounds=bounds,
        better="more",
        title=title,
        reading=reading,
        noun=title,
        headline=True,
        margin=2.0 if is_share_of_main else None,
        task=read["task"],
    )


def _unit(metric: str) -> Unit:
    words = _words(metric)
    if _POINTS in words:
        return "points"
    named = [unit for word, unit in _UNITS.items() if word in words]
    if named:
        return named[0]
    return "share" if words & _SHARES else "points"


def _direction(metric: str) -> Direction:
    said = _SAID.get(metric.rpartition(",")[2])
    if said is not None:
        return said
    return "less" if _words(metric) & _BETTER_SMALL else "more"


def _words(metric: str) -> set[str]:
    return set(re.split(r"[\W_]+", metric.partition(",")[0].casefold()))
