"""Generate what is missing and store it at once.

A killed call goes on where it was and ends with the same bytes. Batches are fixed by the list of
requests alone, and a sampled batch draws from a seed of its own, so a batch that is made again is
the same text. How long each batch took is stored beside it.
"""

import hashlib
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stagelift.evals.files import append_records, read_records, write_records
from stagelift.evals.models.engines.engine import Engine, Sampling
from stagelift.evals.records import Generation, Group, Timing


class Request(NamedTuple):
    """One prompt, already through the chat template, and where its response ends."""

    id: str
    group: Group
    prompt: str
    stop: tuple[str, ...]
    max_tokens: int


@dataclass(frozen=True)
class Generator:
    """Answers requests from `path`, asking `engine` for batches that are not there yet.

    How long each batch took goes into `timings`. With `temperature` 0 decoding is greedy; else
    `samples` responses are drawn for each prompt. A `repeat` makes other batches of the requests
    and draws other samples.
    """

    engine: Engine
    path: Path
    timings: Path
    batch_size: int
    on_progress: Callable[[int, int], None]
    samples: int = 1
    temperature: float = 0.0
    repeat: int = 0

    def generate(self, requests: Sequence[Request]) -> list[Generation]:
        """Return the samples of each request in order.

        Every batch is stored before the next starts.
        """
        known = _by_sample(read_records(self.path, Generation))
        wanted = [(request.id, sample) for request in requests for sample in range(self.samples)]
        for sample, batch in self._batches(requests):
            if not all((request.id, sample) in known for request in batch):
                generations = self._timed(batch, sample)
                append_records(self.path, generations)
                known |= _by_sample(generations)
            self.on_progress(sum(key in known for key in wanted), len(wanted))
        ordered = [known.pop(key) for key in wanted]
        # other requests' responses stay in front
        write_records(self.path, [*known.values(), *ordered])
        return ordered

    def _batches(self, requests: Sequence[Request]) -> Iterator[tuple[int, list[Request]]]:
        """Longest prompts first: the batch most likely to run out of memory comes first.

        Repeats mix lengths.
        """
        ordered = sorted(requests, key=lambda request: (-len(request.prompt), request.id))
        if self.repeat:
            random.Random(self.repeat).shuffle(ordered)
        for sample in range(self.samples):
            for start in range(0, len(ordered), self.batch_size):
                yield sample, ordered[start : start + self.batch_size]

    def _timed(self, batch: list[Request], sample: int) -> list[Generation]:
        """Answer a batch and store its time.

        It comes before the responses: where a kill falls in between, the batch is made again.
        """
        started = time.monotonic()
        generations = self._complete(batch, sample)
        timing = Timing(
            batch=hashlib.sha256(_ids(batch).encode()).hexdigest()[:16],
            group=batch[0].group,
            sample=sample,
            responses=len(batch),
            seconds=time.monotonic() - started,
        )
        append_records(self.timings, [timing])
        return generations

    def _complete(self, batch: list[Request], sample: int) -> list[Generation]:
        prompts = [request.prompt for request in batch]
        completions = self.engine.complete(
            prompts,
            stop=batch[0].stop,
            max_tokens=batch[0].max_tokens,
            sampling=self._sampling(batch, sample),
        )
        return [
            Generation(
                id=request.id,
                group=request.group,
                sample=sample,
                prompt=request.prompt,
                response=completion.text,
                n_tokens=completion.n_tokens,
                finish_reason=completion.finish_reason,
            )
            for request, completion in zip(batch, completions, strict=True)
        ]

    def _sampling(self, batch: list[Request], sample: int) -> Sampling | None:
        if self.temperature == 0:
            return None
        name = f"{sample} {_ids(batch)}"
        if self.repeat:
            name = f"repeat {self.repeat} {name}"
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
        return Sampling(self.temperature, seed)


def _by_sample(generations: Iterable[Generation]) -> dict[tuple[str, int], Generation]:
    return {(generation.id, generation.sample): generation for generation in generations}


def _ids(batch: list[Request]) -> str:
    return " ".join(request.id for request in batch)
