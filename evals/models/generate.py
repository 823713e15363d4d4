"""Generate what is missing and store it at once.

A killed call goes on where it was and ends with the same bytes. What an engine is handed at once is
fixed by the list of requests alone, and each sample draws from a seed of its own, so what is made
again is the same text. How long each of these calls took is stored beside it.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.credentials import without_credentials
from stagelift.evals.files import append_records, read_records, write_records
from stagelift.evals.models.engines.engine import Completion, Engine, Request, Sampling
from stagelift.evals.records import Generation, Group, Timing

# What an engine is handed at once, in batches: rows that are done make room for waiting ones, so a
# call is the faster the more it holds, and a kill costs the more.
_BATCHES_AT_ONCE = 4


class Prompt(NamedTuple):
    """One prompt, already through the chat template, and where its response ends."""

    id: str
    group: Group
    text: str
    stop: tuple[str, ...]
    max_tokens: int


class Wanted(NamedTuple):
    """One response: a prompt and the number of the sample."""

    prompt: Prompt
    sample: int

    @property
    def key(self) -> tuple[str, int]:
        return self.prompt.id, self.sample


@dataclass(frozen=True)
class Generator:
    """Answers prompts from `path`, asking `engine` for what is not there yet.

    How long each call of the engine took goes into `timings`. With `temperature` 0 decoding is
    greedy; else `samples` responses are drawn for each prompt, numbered from `first_sample`. A
    `repeat` puts other prompts together and draws other samples. Without `counts_tokens` it is not
    written how many a response has: those of another model's tokenizer would be compared with them.
    """

    engine: Engine
    path: Path
    timings: Path
    batch_size: int
    on_progress: Callable[[int, int], None]
    samples: int = 1
    temperature: float = 0.0
    first_sample: int = 0
    repeat: int = 0
    counts_tokens: bool = True

    def generate(self, prompts: Sequence[Prompt]) -> list[Generation]:
        """Return the samples of each prompt in order.

        Every call's responses are stored before the next starts.
        """
        known = _by_sample(read_records(self.path, Generation))
        wanted = [(prompt.id, sample) for prompt in prompts for sample in self._samples()]
        # what is there already is no work of now
        self.on_progress(sum(key in known for key in wanted), len(wanted))
        for chunk in self._chunks(prompts):
            if not all(each.key in known for each in chunk):
                before = sum(key in known for key in {*wanted} - {each.key for each in chunk})
                generations = self._timed(chunk, before, len(wanted))
                append_records(self.path, generations)
                known |= _by_sample(generations)
            self.on_progress(sum(key in known for key in wanted), len(wanted))
        ordered = [known.pop(key) for key in wanted]
        # other prompts' responses stay in front
        write_records(self.path, [*known.values(), *ordered])
        return ordered

    def _samples(self) -> range:
        return range(self.first_sample, self.first_sample + self.samples)

    def _chunks(self, prompts: Sequence[Prompt]) -> Iterator[list[Wanted]]:
        """Longest prompts first: what is most likely to run out of memory comes first.

        Repeats mix lengths. The samples of a prompt come together: its beginning is the same.
        """
        ordered = sorted(prompts, key=lambda prompt: (-len(prompt.text), prompt.id))
        if self.repeat:
            random.Random(self.repeat).shuffle(ordered)
        wanted = [Wanted(prompt, sample) for prompt in ordered for sample in self._samples()]
        size = self.batch_size * _BATCHES_AT_ONCE
        for start in range(0, len(wanted), size):
            yield wanted[start : start + size]

    def _timed(self, chunk: list[Wanted], before: int, total: int) -> list[Generation]:
        """Answer a chunk and store its time.

        It comes before the responses: where a kill falls in between, the chunk is made again.
        """
        started = time.monotonic()
        completions = self.engine.complete(
            [self._request(each) for each in chunk],
            lambda finished: self.on_progress(before + finished, total),
        )
        timing = Timing(
            batch=hashlib.sha256(_names(chunk).encode()).hexdigest()[:16],
            group=chunk[0].prompt.group,
            sample=chunk[0].sample,
            responses=len(chunk),
            seconds=time.monotonic() - started,
        )
        append_records(self.timings, [timing])
        return [self._generation(*pair) for pair in zip(chunk, completions, strict=True)]

    def _generation(self, wanted: Wanted, completion: Completion) -> Generation:
        return Generation(
            id=wanted.prompt.id,
            group=wanted.prompt.group,
            sample=wanted.sample,
            # scored, judged and reported as it is stored
            prompt=without_credentials(wanted.prompt.text),
            response=without_credentials(completion.text),
            n_tokens=completion.n_tokens if self.counts_tokens else None,
            finish_reason=completion.finish_reason,
        )

    def _request(self, wanted: Wanted) -> Request:
        prompt = wanted.prompt
        return Request(prompt.text, prompt.stop, prompt.max_tokens, self._sampling(wanted))

    def _sampling(self, wanted: Wanted) -> Sampling | None:
        if self.temperature == 0:
            return None
        name = f"{wanted.sample} {wanted.prompt.id}"
        if self.repeat:
            name = f"repeat {self.repeat} {name}"
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        return Sampling(self.temperature, seed)


def _by_sample(generations: Iterable[Generation]) -> dict[tuple[str, int], Generation]:
    return {(generation.id, generation.sample): generation for generation in generations}


def _names(chunk: list[Wanted]) -> str:
    return " ".join(f"{each.prompt.id} {each.sample}" for each in chunk)
