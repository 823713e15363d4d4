"""Which judged pairs people are asked about, in which order, and which response lies on which side.

All of it follows from a seed and from the texts alone, so that a page needs no key: the side of a
response does not hang on which model wrote it, and a pair's name says nothing that the page does
not show.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from stagelift.evals.records import Generation, Score, Verdict


@dataclass(frozen=True)
class ShownPair:
    """Two responses to one prompt as a page shows them.

    `name` is what an exported vote calls the pair, and is made of the three texts in this order.
    """

    prompt: str
    left: str
    right: str

    @property
    def name(self) -> str:
        """The pair's name: 64 hexadecimal digits."""
        return _digest("pair", self.prompt, self.left, self.right)


class Responses(NamedTuple):
    """What one model answered, by prompt id."""

    scores: Mapping[str, Score]
    generations: Mapping[str, Generation]


@dataclass(frozen=True)
class Ballot:
    """A judged pair as it is shown, and what only the run's records know of it."""

    prompt: str
    shown: ShownPair
    stage_is_left: bool
    is_equal: bool


def ballots(
    verdicts: Mapping[str, Verdict], stage: Responses, opponent: Responses, seed: int
) -> list[Ballot]:
    """Return every judged pair in the random order of a seed."""
    return [
        _ballot(prompt, stage, opponent, seed) for prompt in random_order(judged(verdicts), seed)
    ]


def _ballot(prompt: str, stage: Responses, opponent: Responses, seed: int) -> Ballot:
    mine, theirs = (side.generations[prompt].response for side in (stage, opponent))
    question = stage.scores[prompt].question
    # which is left looks random and is the same whoever wrote which
    left, right = sorted((mine, theirs), key=lambda text: _digest(str(seed), question, text))
    return Ballot(prompt, ShownPair(question, left, right), left == mine, mine == theirs)


def random_order(prompts: Iterable[str], seed: int) -> list[str]:
    """Order prompts, given by their ids, at random: each by a digest of its id and the seed.

    Whatever other prompts there are, two of them come in the same order. So any first few are a
    random sample, and those of a longer sample are the same ones and more.
    """
    return sorted(prompts, key=lambda prompt: (_digest(str(seed), prompt), prompt))


def judged(verdicts: Mapping[str, Verdict]) -> list[str]:
    """Name the prompts with a verdict that could be read: what is drawn from, and spoken of."""
    return [prompt for prompt, verdict in verdicts.items() if verdict.score is not None]


def is_random_sample(known: Mapping[str, int], prompts: Sequence[str]) -> bool:
    """Say whether the prompts voted on are a random sample of all judged `prompts`.

    `known` has the seed that each was drawn with. Of each seed they must be the first in its order,
    those drawn with another seed apart: who votes leaves nothing out.
    """
    return all(_are_first(known, prompts, seed) for seed in {*known.values()})


def _are_first(known: Mapping[str, int], prompts: Sequence[str], seed: int) -> bool:
    free = [prompt for prompt in prompts if known.get(prompt, seed) == seed]
    mine = {prompt for prompt, drawn in known.items() if drawn == seed}
    return {*random_order(free, seed)[: len(mine)]} == mine


def _digest(*parts: str) -> str:
    """Hash texts so that no two lists of texts are written alike."""
    digest = hashlib.sha256()
    for part in parts:
        content = part.encode(errors="surrogatepass")
        digest.update(len(content).to_bytes(8))
        digest.update(content)
    return digest.hexdigest()
