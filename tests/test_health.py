"""Signs of illness are read off logged rows alone, at thresholds that stand in a document."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.healthy_runs import CASES, Case, rate
from stagelift.reports.records import read_run
from stagelift.stages.health.finding import Stop
from stagelift.stages.health.groups import GROUPS, groups_in
from stagelift.stages.health.series import Series
from stagelift.stages.health.signs import SIGNS
from stagelift.stages.health.watch import Watch, findings
from stagelift.stages.kinds import kind_named
from stagelift.stages.settings import config_on_paper
from tests.sources import ROOT

REWARD = {"reward": 0.5, "reward_std": 0.4}
CUT = {"completions/clipped_ratio": 0.25}
DOCUMENT = ROOT / "docs" / "when-training-is-ill.md"


def title(case: Case) -> str:
    return f"{case.sign}: {case.title}"


def history(name: str, values: Sequence[float | None], **beside: Any) -> list[dict[str, Any]]:
    return [{"step": step, name: value, **beside} for step, value in enumerate(values, start=1)]


def seen(rows: list[dict[str, Any]]) -> list[tuple[str, int]]:
    return [(finding.sign, finding.step) for finding in findings(rows)]


@pytest.mark.parametrize(
    ("sign", "step", "rows"),
    [
        ("no signal", 5, history("frac_reward_zero_std", [1, 1, 0.75, 1, 0.75])),
        ("few groups with signal", 5, history("frac_reward_zero_std", [0.75] * 5, groups=4)),
        ("entropy collapse", 8, history("entropy", [1.0] * 2 + [0.5] + [0.1] * 5, **REWARD)),
        ("entropy explosion", 7, history("entropy", [0.5] * 2 + [1.5] * 5, **REWARD)),
        ("high KL", 6, history("kl", [0.1] + [1.2] * 5, **REWARD)),
        ("KL jump", 12, history("kl", [0.01] * 10 + [0.1, 0.15], **REWARD)),
        ("reward jump", 12, history("reward", [0.1] * 10 + [1.0, 1.0], reward_std=0.4)),
        ("length explosion", 10, history("completions/mean_length", [40] * 5 + [80] * 5, **CUT)),
        ("length explosion", 10, history("completions/mean_length", [11] + [50] * 9, **CUT)),
        ("cut off", 10, history("completions/clipped_ratio", [0.25, 0.75] * 5)),
        ("loss grows", 20, history("loss", [0.7, 0.6] * 5 + [1.3] * 9 + [1.4])),
        ("loss grows", 11, history("loss", [1.1] + [11.0, 10.5] * 5)),
        ("no gradients", 6, history("grad_norm", [0.3] + [0.0] * 5)),
        ("loss not finite", 3, history("loss", [0.7, 0.7, None])),
        ("gradients not finite", 21, history("grad_norm", [0.3] + [None] * 20)),
        ("weights lost", 2, [{"step": 1, "loss": 1}, {"step": 2, "weights lost": 1}]),
    ],
)
def test_a_sign_is_there_from_the_step_where_its_threshold_is_reached(
    sign: str, step: int, rows: list[dict[str, Any]]
) -> None:
    assert seen(rows) == [(sign, step)]
    assert seen(rows[:-1]) == [], "one step earlier it is not there"


@pytest.mark.parametrize(
    "rows",
    [
        history("frac_reward_zero_std", [0.25, 0.5, 0.75, 0.5, 0.25] * 4),
        # half of 80 groups may be 39% of all
        history("frac_reward_zero_std", [0.5] * 10, groups=8),
        # 8 of 10, and so few say nothing
        history("frac_reward_zero_std", [1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0], groups=1),
        history("entropy", [1.0, 0.5, 0.4, 0.3, 0.3, 0.25] * 4, **REWARD),
        # imitation makes a model sure of its texts: that is what it is for
        history("entropy", [2.0] * 5 + [0.01] * 20, loss=0.5),
        history("kl", [0.0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.03, 0.05, 0.06] * 3, **REWARD),
        # KTO's is of whole responses
        history("kl", [0.0] * 12 + [15.0] * 12, loss=0.5),
        # of a stage with rewards it is no measure
        history("loss", [0.001] * 5 + [0.1] * 5, **REWARD),
        history("loss", [0.9, 0.3, 0.5, 0.8, 0.6] * 6),
        history("reward", [0.1, 0.6, 0.2, 0.5, 0.3, 0.4] * 8, reward_std=0.45),
        # float16 looks for its scale
        history("grad_norm", [None] * 16 + [0.3] * 10),
        # doubled, within a hundred steps
        history("completions/mean_length", [100 + step for step in range(110)], **CUT),
        # working is learnt, which is longer, and comes to an end
        history(
            "completions/mean_length",
            [11, 26, 22, 34, 30, 39, 46, 38, 40, 41, 40],
            **{"completions/clipped_ratio": 0.02},
        ),
        history("completions/clipped_ratio", [0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1]),
    ],
)
def test_what_healthy_trainings_do_is_no_sign(rows: list[dict[str, Any]]) -> None:
    assert seen(rows) == []


def test_a_reward_that_falls_below_its_best_is_a_sign_and_noise_is_none() -> None:
    best = [0.6, 0.5, 0.7, 0.6, 0.5, 0.7, 0.6, 0.5, 0.7, 0.6]
    worse = [value - 0.3 for value in best]
    assert seen(history("reward", [*best, *best, *best], reward_std=0.4)) == []
    assert seen(history("reward", [*best, *worse], reward_std=0.4)) == [("reward falls", 20)]


def test_a_reward_that_falls_by_little_is_no_sign_however_steady_it_is() -> None:
    assert seen(history("reward", [1.0] * 10 + [0.984] * 10, reward_std=0.0)) == []
    assert seen(history("reward", [0.6] * 10 + [0.5] * 10, reward_std=0.4)) == []


def test_one_easy_row_at_the_start_is_no_loss_that_grows() -> None:
    assert seen(history("loss", [0.1, 1.9, 0.4, 0.9, 0.3, 1.2, 0.8, 0.5] * 5)) == []


def test_chosen_answers_that_become_unlikely_are_a_sign_and_longer_ones_are_none() -> None:
    longer = [-100.0] * 5 + [-160.0] * 5
    beta = {"beta": 0.1}
    assert seen(history("logps/chosen", longer, **beta, **{"rewards/chosen": -0.1})) == []
    less = history("logps/chosen", [-150.0] * 5, **beta, **{"rewards/chosen": -5.0})
    assert seen(less) == [("chosen answers unlearnt", 5)]
    without_beta = history("logps/chosen", [-150.0] * 5, **{"rewards/chosen": -5.0})
    assert seen(without_beta) == []


@pytest.mark.parametrize("case", [case for case in CASES if not case.ill], ids=title)
def test_healthy_trainings_are_seldom_said_to_be_ill(case: Case) -> None:
    assert rate(case, 100, 1, 20) <= 0.05


@pytest.mark.parametrize("case", [case for case in CASES if case.ill], ids=title)
def test_ill_trainings_of_many_rows_are_said_to_be(case: Case) -> None:
    assert rate(case, 300, 16, 5) == 1


def test_windows_do_not_overlap_and_begin_at_the_last() -> None:
    series = Series()
    for number in range(25):
        series.add(float(number))
    assert series.windows() == [15, 5]
    assert (series.mean(15, 10), series.variance(5, 2)) == (19.5, 0.5)


def test_a_sign_is_said_once_with_its_value_and_what_to_do() -> None:
    (finding,) = findings(history("completions/clipped_ratio", [0.75] * 30))
    assert (finding.value, finding.threshold) == (0.75, 0.5)
    assert finding.text == (
        "75% of the completions of the last 10 logged steps were cut off at "
        "max_completion_length, before they came to an end."
    )
    assert finding.remedy.startswith("Raise max_completion_length")


def test_rows_that_are_read_in_two_sittings_give_the_same_findings() -> None:
    rows = history("entropy", [1.0] * 5 + [0.05] * 20, **REWARD)
    watch = Watch()
    for row in rows[:7]:
        watch.add(row)
    later = json.loads(json.dumps(rows[7:]))
    assert [finding for row in later for finding in watch.add(row)] == findings(rows)


def test_a_stage_ends_when_asked_to_for_a_sign_that_ends_one_and_not_at_its_last_step() -> None:
    watch = Watch()
    for row in history("frac_reward_zero_std", [0.6] * 10, groups=32):
        watch.add(row)
    assert watch.found and watch.stop(10, 40, when_ill=True) is None, "most is only said"
    for row in history("frac_reward_zero_std", [1.0] * 6):
        watch.add(row)
    assert watch.stop(15, 40, when_ill=False) is None
    assert watch.stop(40, 40, when_ill=True) is None
    stop = watch.stop(15, 40, when_ill=True)
    assert stop is not None and stop.text.startswith(
        "stopped at step 15 of 40: 92% of the groups of the last 5 logged steps carry no signal"
    )


def test_lost_weights_end_every_stage_and_the_adapter_may_be_an_earlier_one() -> None:
    watch = Watch()
    watch.add({"step": 12, "loss": None, "weights lost": 1.0})
    stop = watch.stop(12, 12, when_ill=False)
    assert stop is not None and (stop.step, stop.steps) == (12, 12)
    earlier = Stop(step=12, steps=40, why="It is ill.", kept=8)
    assert earlier.text == "stopped at step 12 of 40: It is ill. The adapter is that of step 8."
    assert "kept" not in stop.model_dump()


def test_the_document_lists_every_sign_with_its_threshold_source_and_remedy() -> None:
    lines = [
        line.split(" | ")
        for line in DOCUMENT.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    listed = {line[0].removeprefix("| "): line for line in lines}
    for sign in SIGNS:
        _, of, threshold, when, ends, source, remedy = listed[sign.name]
        assert of == f"`{sign.of}`"
        assert threshold == f"{sign.threshold:g}"
        assert when == sign.when
        assert ends == ("yes" if sign.ends else "no")
        assert source == sign.source
        assert remedy.removesuffix(" |") == sign.remedy


def test_eight_steps_of_four_groups_are_enough_to_say_that_most_carry_no_signal() -> None:
    """The two seeds of the gallery's GRPO: 24 and 16 of 32 groups without signal."""
    most = [1.0, 0.5, 1.0, 0.5, 0.5, 0.75, 0.75, 1.0]
    half = [0.75, 0.5, 0.25, 0.5, 0.75, 0.5, 0.25, 0.5]
    (finding,) = findings(history("frac_reward_zero_std", most, groups=4))
    # 17 of 24 groups by then, Wilson
    assert (finding.sign, finding.step) == ("few groups with signal", 6)
    assert finding.value == pytest.approx(0.5083, abs=1e-4)
    assert finding.text.startswith(
        "71% [51, 85] of the groups of the last logged steps (n=24) carry no signal"
    )
    assert findings(history("frac_reward_zero_std", half, groups=4)) == []
    # rows of an earlier version: quarters are of four groups at the least
    assert findings(history("frac_reward_zero_std", most)) == [finding]


def test_what_is_no_share_of_groups_is_no_sign() -> None:
    for share, groups in ((7.0, 4), (-1.0, 4), (0.75, 0), (0.75, -4)):
        found = seen(history("frac_reward_zero_std", [0.5, share] * 3, groups=groups))
        assert "few groups with signal" not in dict(found)


@pytest.mark.parametrize(
    ("kind", "args", "steps", "groups"),
    [
        # 16 completions at once, twice, in groups of eight
        ("grpo", {}, 1, 4),
        ("grpo", {}, 10, 40),
        ("rloo", {}, 1, 4),
        # a generation of two steps, and one that is learnt from twice
        ("grpo", {"steps_per_generation": 4}, 2, 8),
        ("grpo", {"num_iterations": 2}, 2, 4),
        ("grpo", {"num_iterations": 2}, 1, 4),
        ("grpo", {"scale_rewards": "batch"}, 3, 3),
    ],
)
def test_groups_are_those_of_the_steps_that_are_logged(
    kind: str, args: dict[str, Any], steps: int, groups: int
) -> None:
    asked = {
        "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 2,
        "num_generations": 8,
    }
    assert groups_in(config_on_paper(kind_named(kind), asked | args), steps) == groups


def test_a_training_logs_its_groups_beside_the_share(finished_run: Path) -> None:
    (stage,) = (one for one in read_run(finished_run).stages if one.kind == "grpo")
    assert stage.training is not None
    rows = [row for row in stage.training.history if "frac_reward_zero_std" in row]
    assert rows and all(isinstance(row[GROUPS], int | float) and row[GROUPS] for row in rows)


def test_no_sign_has_the_name_of_another() -> None:
    assert len({sign.name for sign in SIGNS}) == len(SIGNS)
    assert Path(DOCUMENT).is_file()
