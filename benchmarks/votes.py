"""How often a win rate corrected by 50 votes holds the truth, and how much shorter its interval is
than that of the votes alone.

    python -m benchmarks.votes                         # simulated people and judges
    python -m benchmarks.votes --alpaca-eval FOLDER    # published verdicts stand for people's

Each cell draws 1,000 times: prompts that a judge judged, and of these 50 that people voted on. Of
simulated data the truth is what it is drawn from. In AlpacaEval's files (`*.annotations.json.gz`,
or `annotations.json`) it is the mean of a file's published verdicts, and prompts are drawn from the
file with replacement, so that an interval has to hold for prompts that were not drawn, too. There
the judges are the control that prefers the longer response, and the published verdicts themselves,
each replaced by a random one of the file in a share of the pairs.

Nothing here says how much people differ from one another.
"""

import argparse
import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import FORMATS, Cell, Table, show, table_of
from stagelift.evals.imports.alpaca_eval import read_alpaca_eval
from stagelift.evals.metrics.winrate import over_half
from stagelift.evals.stats.prediction_powered import corrected

TRIALS = 1000
VOTES = 50
Rng = np.random.Generator
# a judge's scores and people's votes on the same prompts
Drawn = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Population:
    """Prompts to draw from: a judge's scores and what people would say, and the mean of that."""

    name: str
    draw: Callable[[Rng, int], Drawn]
    true: float


@dataclass(frozen=True)
class Measured:
    """What 1,000 draws gave: coverage of the corrected rate, of the votes alone and of the judge
    alone, and by how much shorter the corrected interval is than that of the votes (median).
    """

    coverage: float
    of_votes: float
    of_judge: float
    shorter: float


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--alpaca-eval", type=Path, help="folder of AlpacaEval's annotations")
    parser.add_argument("--votes", type=int, default=VOTES)
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    # statsmodels leaves much to look through
    gc.freeze()
    tables = [_table("Simulated people and judges", simulated(), given.votes, (200, 800))]
    if given.alpaca_eval is not None:
        title = "AlpacaEval: GPT-4's verdicts stand for people's"
        tables.append(_table(title, published(given.alpaca_eval), given.votes, (200, 805)))
    show(tables, given.format)


def measured(population: Population, judged: int, votes: int, trials: int = TRIALS) -> Measured:
    """Draw `judged` prompts of which the first `votes` are voted on, `trials` times; the draws are
    the same every time.
    """
    rng = np.random.default_rng([judged, votes])
    held, shorter = np.zeros((trials, 3), dtype=bool), np.zeros(trials)
    for trial in range(trials):
        scores, said = population.draw(rng, judged)
        labels = [*said[:votes].tolist(), *[None] * (judged - votes)]
        lead = corrected(scores.tolist(), labels).lead
        alone, judge = over_half(said[:votes].tolist()), over_half(scores.tolist())
        ends = [(0.5 + lead.low, 0.5 + lead.high), (alone.low, alone.high), (judge.low, judge.high)]
        held[trial] = [low <= population.true <= high for low, high in ends]
        shorter[trial] = 1 - (lead.high - lead.low) / (alone.high - alone.low)
    return Measured(*held.mean(axis=0).tolist(), float(np.median(shorter)))


def simulated() -> Iterator[Population]:
    """People prefer one side with a probability of its own on each prompt; a judge of an agreement
    says what they say in that share of the pairs, else something that leans to one side.
    """
    for rate in (0.5, 0.7, 0.95):
        for agreement in (0.95, 0.85, 0.7, 0.5):
            yield _simulated(rate, agreement)


def _simulated(rate: float, agreement: float) -> Population:
    def draw(rng: Rng, n: int) -> Drawn:
        said = (rng.random(n) < rate).astype(float)
        tied = rng.random(n) < 0.1
        said[tied] = 0.5
        # over both orders: 0, 1/2 or 1, and more often 1 than people say
        other = rng.choice([0.0, 0.5, 1.0], size=n, p=[0.15, 0.25, 0.6])
        looks = rng.random(n) < agreement
        return np.where(looks, said, other), said

    true = 0.9 * rate + 0.05
    return Population(f"{rate:.0%} preferred, judge looks at {agreement:.0%}", draw, true)


def published(folder: Path) -> Iterator[Population]:
    """Read every file of annotations in a folder."""
    files = sorted([*folder.glob("*annotations.json"), *folder.glob("*annotations.json.gz")])
    for file in files:
        for stage in read_alpaca_eval(file).stages:
            rows = [row for row in stage.verdicts if row.score is not None]
            said = np.array([row.score for row in rows])
            longer = np.sign([row.length_difference or 0 for row in rows]) / 2 + 0.5
            yield _resampled(f"{stage.name}, the longer", longer, said)
            rng = np.random.default_rng(0)
            for share in (0.1, 0.3, 0.5):
                noisy = np.where(rng.random(said.size) < share, rng.permutation(said), said)
                yield _resampled(f"{stage.name}, {share:.0%} at random", noisy, said)


def _resampled(name: str, scores: np.ndarray, said: np.ndarray) -> Population:
    def draw(rng: Rng, n: int) -> Drawn:
        places = rng.integers(said.size, size=n)
        return scores[places], said[places]

    return Population(name, draw, float(said.mean()))


def _table(
    title: str, populations: Iterator[Population], votes: int, sizes: tuple[int, ...]
) -> Table:
    rows: list[dict[str, Cell]] = []
    for population in populations:
        scores, said = population.draw(np.random.default_rng(1), 20_000)
        row: dict[str, Cell] = {
            "people, judge": population.name,
            "correlation": f"{_correlation(scores, said):.2f}",
        }
        for size in sizes:
            found = measured(population, size, votes)
            row[f"{size} judged: coverage"] = f"{found.coverage:.3f}"
            row[f"{size}: shorter by"] = f"{found.shorter:.0%}"
        row["votes alone"] = f"{found.of_votes:.3f}"
        row["judge alone"] = f"{found.of_judge:.3f}"
        rows.append(row)
    notes = [f"{TRIALS} draws a cell, {votes} votes; coverage of 95% intervals."]
    return table_of(title, rows, notes)


def _correlation(scores: np.ndarray, said: np.ndarray) -> float:
    if min(scores.std(), said.std()) == 0:
        return 0.0
    return float(np.corrcoef(scores, said)[0, 1])


if __name__ == "__main__":
    main()
