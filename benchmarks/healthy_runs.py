"""How often signs of illness are seen in simulated trainings, healthy ones and ill ones.

    python -m benchmarks.healthy_runs --runs 200

It says nothing of a sign's use in a training of yours: noise is drawn anew at each step here.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from stagelift.stages.health.groups import GROUPS, SILENT_SHARE
from stagelift.stages.health.logged import Logged
from stagelift.stages.health.sign import Sign
from stagelift.stages.health.signs import SIGNS

STEPS = (100, 300, 1000)
BATCHES = (1, 4, 16, 64)
# completions of a prompt, and the weight of a token of a chosen answer
GROUP, BETA = 8, 0.1

Rng = np.random.Generator
Rows = dict[str, np.ndarray]


class Case(NamedTuple):
    """A kind of training: its sign, and the rows of one of so many steps and rows a step."""

    sign: str
    title: str
    ill: bool
    rows: Callable[[Rng, int, int], Rows]


def main() -> None:
    """Print a line for each kind of training and number of rows a step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200, help="simulated trainings for each number")
    parser.add_argument("--sign", choices=sorted({case.sign for case in CASES}))
    given = parser.parse_args()
    print(f"| sign | training | rows a step | {' | '.join(f'{steps} steps' for steps in STEPS)} |")
    print("|---|---|---|" + "---|" * len(STEPS))
    for case in (case for case in CASES if given.sign in (None, case.sign)):
        for batch in BATCHES:
            seen = [f"{rate(case, steps, batch, given.runs):.1%}" for steps in STEPS]
            print(f"| {case.sign} | {case.title} | {batch} | {' | '.join(seen)} |", flush=True)


def rate(case: Case, steps: int, batch: int, runs: int) -> float:
    """Return the share of simulated trainings in which the sign is seen."""
    (sign,) = (sign for sign in SIGNS if sign.name == case.sign)
    rng = np.random.default_rng([steps, batch, *case.title.encode()])
    return sum(_is_seen(sign, case.rows(rng, steps, batch)) for _ in range(runs)) / runs


def _is_seen(sign: Sign, rows: Rows) -> bool:
    logged = Logged()
    for row in _each(rows):
        logged.add(row)
        reading = sign.read(logged)
        if reading is not None and reading.value >= sign.threshold:
            return True
    return False


def _each(rows: Rows) -> Iterator[dict[str, float]]:
    names = list(rows)
    columns: Iterable[tuple[float, ...]] = zip(
        *(rows[name].tolist() for name in names), strict=True
    )
    return (dict(zip(names, values, strict=True)) for values in columns)


def _line(start: float, end: float) -> Callable[[int], np.ndarray]:
    return lambda steps: np.linspace(start, end, steps)


def _step(before: float, after: float) -> Callable[[int], np.ndarray]:
    """What changes at once, after two fifths of the training."""
    return lambda steps: np.where(np.arange(steps) < 0.4 * steps, before, after)


def _correctness(
    mean: Callable[[int], np.ndarray], alike: float = 2
) -> Callable[[Rng, int, int], Rows]:
    """Rewards of 0 and 1; with `alike` small, prompts are either easy or hard."""

    def rows(rng: Rng, steps: int, prompts: int) -> Rows:
        right = np.clip(mean(steps), 1e-3, 1 - 1e-3)[:, None]
        chance = rng.beta(right * alike, (1 - right) * alike, (steps, prompts))
        rewards = rng.random((steps, prompts, GROUP)) < chance[..., None]
        return {"reward": rewards.mean((1, 2)), "reward_std": rewards.std(2, ddof=1).mean(1)}

    return rows


def _lengths(rng: Rng, steps: int, prompts: int) -> Rows:
    """A reward that is the negative length of completions, which are of heavy tails."""
    rewards = -rng.lognormal(0, 1, (steps, prompts, 1)) * rng.lognormal(
        0, 0.5, (steps, prompts, GROUP)
    )
    return {"reward": rewards.mean((1, 2)), "reward_std": rewards.std(2, ddof=1).mean(1)}


def _losses(mean: Callable[[int], np.ndarray], tail: float) -> Callable[[Rng, int, int], Rows]:
    def rows(rng: Rng, steps: int, batch: int) -> Rows:
        each = rng.lognormal(-(tail**2) / 2, tail, (steps, batch)).mean(1)
        return {"loss": mean(steps) * each}

    return rows


def _chosen(multiple: Callable[[int], np.ndarray]) -> Callable[[Rng, int, int], Rows]:
    """Answers of heavy-tailed lengths, whose log-probabilities become so many times as low."""

    def rows(rng: Rng, steps: int, batch: int) -> Rows:
        lengths = rng.lognormal(5, 0.8, (steps, batch))
        reference = -lengths * rng.lognormal(0, 0.3, (steps, batch))
        now = reference * multiple(steps)[:, None] * rng.normal(1, 0.05, (steps, batch))
        rewards = BETA * (now - reference)
        return {
            "logps/chosen": now.mean(1),
            "rewards/chosen": rewards.mean(1),
            "beta": np.full(steps, BETA),
        }

    return rows


def _groups(silent: float) -> Callable[[Rng, int, int], Rows]:
    """Groups of which a share carries no signal."""

    def rows(rng: Rng, steps: int, prompts: int) -> Rows:
        shares = rng.binomial(prompts, silent, steps) / prompts
        return {SILENT_SHARE: shares, GROUPS: np.full(steps, prompts)}

    return rows


REWARD, LOSS, CHOSEN = "reward falls", "loss grows", "chosen answers unlearnt"
SIGNAL = "few groups with signal"
CASES = (
    Case(REWARD, "stays at 0.6", False, _correctness(_line(0.6, 0.6))),
    Case(REWARD, "stays at 0.6, prompts easy or hard", False, _correctness(_line(0.6, 0.6), 0.3)),
    Case(REWARD, "stays at 0.97", False, _correctness(_line(0.97, 0.97))),
    Case(REWARD, "stays at 0.05", False, _correctness(_line(0.05, 0.05))),
    Case(REWARD, "rises from 0.3 to 0.6", False, _correctness(_line(0.3, 0.6))),
    Case(REWARD, "rises from 0.1 to 1", False, _correctness(_line(0.1, 1))),
    Case(REWARD, "is the negative length", False, _lengths),
    Case(REWARD, "falls from 0.6 to 0.1 at once", True, _correctness(_step(0.6, 0.1))),
    Case(REWARD, "falls from 0.6 to 0.1 slowly", True, _correctness(_line(0.6, 0.1))),
    Case(LOSS, "stays, tail 0.5", False, _losses(_line(1, 1), 0.5)),
    Case(LOSS, "stays, tail 0.8", False, _losses(_line(1, 1), 0.8)),
    Case(LOSS, "stays, tail 1.2", False, _losses(_line(1, 1), 1.2)),
    Case(LOSS, "falls from 2 to 1, tail 0.8", False, _losses(_line(2, 1), 0.8)),
    Case(LOSS, "doubles at once, tail 0.5", True, _losses(_step(1, 2), 0.5)),
    Case(LOSS, "doubles at once, tail 0.8", True, _losses(_step(1, 2), 0.8)),
    Case(LOSS, "doubles slowly, tail 0.5", True, _losses(_line(1, 2), 0.5)),
    Case(CHOSEN, "stays", False, _chosen(_line(1, 1))),
    Case(CHOSEN, "becomes 1.2 times as low", False, _chosen(_line(1, 1.2))),
    Case(CHOSEN, "becomes twice as low", True, _chosen(_line(1, 2))),
    Case(SIGNAL, "30% without", False, _groups(0.3)),
    Case(SIGNAL, "40% without", False, _groups(0.4)),
    Case(SIGNAL, "75% without", True, _groups(0.75)),
)


if __name__ == "__main__":
    main()
