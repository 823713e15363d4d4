"""How often each test calls two identical models different: 1,000 simulated comparisons per test,
at a nominal 5%.

    python -m tests.calibration

It prints a rate per test; tests/test_calibration.py holds them to their bounds. It measures false
alarms only, under the data simulated here: not power, and not what correlated prompts (variants of
one template, say) would do.
"""

import gc
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit
from scipy.stats import binom

from stagelift.evals.records import Metric
from stagelift.evals.stats import estimates, length_control, tests
from stagelift.evals.stats.bradley_terry import Match, bradley_terry

ALPHA = 0.05
TRIALS = 1000

Trial = Callable[[np.random.Generator], bool]


@dataclass(frozen=True)
class Simulation:
    """One comparison of identical models, True where the test rejects; `conservative` says why it
    may reject too seldom.
    """

    trial: Trial
    conservative: str = ""


def main() -> None:
    """Print the table."""
    fewest, most = bounds(TRIALS)
    sys.stdout.write(
        f"A nominal {ALPHA:.0%} test rejects {fewest} to {most} times in {TRIALS} (99.9% binomial "
        "bounds).\n\n"
    )
    for name, simulation in SIMULATIONS.items():
        begun = time.perf_counter()
        rate = rejections(name) / TRIALS
        note = f"  at most: {simulation.conservative}" if simulation.conservative else ""
        sys.stdout.write(f"{name:48} {rate:6.1%} {time.perf_counter() - begun:6.1f} s{note}\n")


def bounds(trials: int) -> tuple[int, int]:
    """Between how many rejections 99.9% of fair tests are."""
    fewest, most = binom.interval(0.999, trials, ALPHA)
    return int(fewest), int(most)


def rejections(name: str, trials: int = TRIALS) -> int:
    """Count the rejections of one simulation; they are the same every time."""
    rng = np.random.default_rng(20240)
    # statsmodels' multipletests collects all garbage on every call, 50 ms with pandas loaded
    gc.freeze()
    rejected = sum(SIMULATIONS[name].trial(rng) for _ in range(trials))
    gc.unfreeze()
    return rejected


def paired_binary(rng: np.random.Generator) -> bool:
    """Compare 200 prompts, some hard and some easy for both models: about 67 discordant pairs."""
    return _rejects(tests.p_value(_binary(rng, n=200, spread=1.0), binary=True))


def several_samples(rng: np.random.Generator) -> bool:
    """Compare 100 prompts with 4 samples of each: 400 rows, but 100 units."""
    solved = rng.beta(0.5, 0.5, 100)
    one, other = (
        estimates.prompt_means(
            [
                (str(prompt), float(value))
                for prompt in range(100)
                for value in rng.random(4) < solved[prompt]
            ]
        )
        for _ in range(2)
    )
    return _rejects(tests.p_value([one[prompt] - other[prompt] for prompt in one]))


def few_discordant(rng: np.random.Generator) -> bool:
    """Compare 60 prompts, about 11 of them discordant: exact McNemar."""
    return _rejects(tests.p_value(_binary(rng, n=60, spread=0.3), binary=True))


def few_prompts(rng: np.random.Generator) -> bool:
    """Compare the lengths of 20 responses: sign flip."""
    return _rejects(tests.p_value(np.subtract(*_lengths(rng, 20)).tolist()))


def length_difference(rng: np.random.Generator) -> bool:
    """Compare 100 skewed lengths that share how long their prompt wants them: t on the
    differences.
    """
    return _rejects(tests.p_value(np.subtract(*_lengths(rng, 100)).tolist()))


def length_ratio(rng: np.random.Generator) -> bool:
    """Compare the same by their ratio: t on logs."""
    return _leaves_out(tests.ratio(*_lengths(rng, 100)), 1)


def one_sided_bound(rng: np.random.Generator) -> bool:
    """Ask whether the lower bound of a gate says improved, on 100 lengths."""
    return tests.bounds(np.subtract(*_lengths(rng, 100)).tolist())[0] > 0


def over_seeds(rng: np.random.Generator) -> bool:
    """Compare two recipes over 5 training seeds each, paired by seed; the seeds differ more than
    the prompts explain.
    """
    return _leaves_out(estimates.over_seeds(rng.normal(0, 0.03, 5).tolist()), 0)


def win_rate(rng: np.random.Generator) -> bool:
    """Judge 100 pairs in both orders, soft verdicts in quarters."""
    return _rejects(tests.p_value(_leads(rng)))


def sign_test(rng: np.random.Generator) -> bool:
    """Judge the same, with the exact sign test over the pairs that are decided."""
    return _rejects(tests.sign_test(_leads(rng)))


def length_controlled(rng: np.random.Generator) -> bool:
    """Judge 100 pairs of equal merit where the candidate is longer in two of three, to a judge with
    a taste for length.
    """
    found = length_control.length_controlled(*longer_is_preferred(rng))
    return found is not None and _rejects(found.p)


def ranking(rng: np.random.Generator) -> bool:
    """Rank three models by 50 prompts, each a round robin that shares the quality of the three
    responses.
    """
    quality = rng.normal(0, 1.5, (50, 3))
    matches = [
        Match(
            str(prompt),
            f"model {one}",
            f"model {other}",
            rng.binomial(2, expit(mine[one] - mine[other])) / 2,
        )
        for prompt, mine in enumerate(quality)
        for one, other in ((0, 1), (1, 2), (2, 0))
    ]
    ranked = bradley_terry(matches)
    return ranked is not None and _leaves_out(ranked["model 1"], 0)


def holm_family(rng: np.random.Generator) -> bool:
    """Compare six correlated metrics of one stage on 100 prompts: is any of them called changed."""
    metrics = rng.normal(0, 1, (6, 100)) + rng.normal(0, 0.7, 100)
    return any(map(_rejects, tests.holm([tests.p_value(metric.tolist()) for metric in metrics])))


def longer_is_preferred(rng: np.random.Generator, n: int = 100) -> tuple[list[float], list[float]]:
    """Draw scores and length differences (characters); at equal lengths the win rate is exactly one
    half.
    """
    differences = np.round(rng.lognormal(6.3, 0.5, n) - rng.lognormal(6, 0.5, n))
    scores = rng.binomial(2, expit(2 * np.tanh(differences / 400))) / 2
    return scores.tolist(), differences.tolist()


SIMULATIONS = {
    "paired t, right or wrong (n = 200)": Simulation(paired_binary),
    "t over prompts, 4 samples each (n = 100)": Simulation(several_samples),
    "exact McNemar, < 25 discordant (n = 60)": Simulation(
        few_discordant, "few p values are possible"
    ),
    "sign flip, lengths (n = 20)": Simulation(
        few_prompts, "the two-sided p is twice the smaller tail"
    ),
    "length difference (n = 100)": Simulation(length_difference),
    "length ratio on logs (n = 100)": Simulation(length_ratio),
    "one-sided 5% bound (n = 100)": Simulation(one_sided_bound),
    "t over seeds (n = 5)": Simulation(over_seeds),
    "win rate against one half (n = 100)": Simulation(win_rate),
    "sign test (n = 100)": Simulation(sign_test, "few p values are possible"),
    "length-controlled win rate (n = 100)": Simulation(length_controlled),
    "Bradley-Terry contrast (n = 50)": Simulation(ranking),
    "any of six metrics, Holm (n = 100)": Simulation(
        holm_family, "Holm allows for the worst dependence"
    ),
}


def _binary(rng: np.random.Generator, n: int, spread: float) -> list[float]:
    """Draw differences of right and wrong; the smaller the spread, the more prompts are always or
    never solved.
    """
    solved = rng.beta(spread, spread, n)
    one, other = rng.random(n) < solved, rng.random(n) < solved
    return [float(mine) - float(theirs) for mine, theirs in zip(one, other, strict=True)]


def _lengths(rng: np.random.Generator, n: int) -> tuple[list[float], list[float]]:
    wanted = rng.lognormal(4, 0.5, n)
    one, other = (np.ceil(wanted * rng.lognormal(0, 0.8, n)).tolist() for _ in range(2))
    return one, other


def _leads(rng: np.random.Generator) -> list[float]:
    return [
        float(lead)
        for lead in rng.choice([-0.5, -0.25, 0, 0.25, 0.5], 100, p=[0.15, 0.1, 0.5, 0.1, 0.15])
    ]


def _rejects(p: float | None) -> bool:
    return p is not None and p < ALPHA


def _leaves_out(metric: Metric | None, value: float) -> bool:
    return metric is not None and not metric.low <= value <= metric.high


if __name__ == "__main__":
    main()
