"""lm-eval's LM interface over stored generations: what is on disk is reused, what is missing is generated and stored.

Batches are fixed by the list of requests alone, so a run that was killed half-way regenerates whole batches and ends
with the text an uninterrupted run would have had.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from evals.engines.transformers import Completion
from evals.files import append_records, read_records, write_records
from evals.records import Generation

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Complete = Callable[[list[str], list[str], int], list[Completion]]  # prompts, stop strings, token limit


class StoredLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """Answers lm-eval's requests from `path`, calling `complete` for batches that are not there yet."""

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        complete: Complete,
        path: Path,
        batch_size: int,
        on_progress: Callable[[int, int], None],
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.complete = complete
        self.path = path
        self.batch_size = batch_size
        self.on_progress = on_progress

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path)

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        text = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Return one response per request, in order; every one is stored in `path` before the next batch starts."""
        known = {generation.id: generation for generation in read_records(self.path, Generation)}
        for batch in self._batches(requests):
            if not all(request.doc["id"] in known for request in batch):
                made = self._generate(batch)
                append_records(self.path, made)
                known |= {generation.id: generation for generation in made}
            self.on_progress(sum(request.doc["id"] in known for request in requests), len(requests))
        ordered = [known[request.doc["id"]] for request in requests]
        write_records(self.path, ordered)
        return [generation.response for generation in ordered]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise NotImplementedError("gsm8k asks for generations only.")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise NotImplementedError("gsm8k asks for generations only.")

    def _batches(self, requests: list[Instance]) -> Iterator[list[Instance]]:
        """Longest prompts first: the batch most likely to run out of memory comes first."""
        ordered = sorted(requests, key=lambda request: (-len(request.args[0]), request.doc["id"]))
        for start in range(0, len(ordered), self.batch_size):
            yield ordered[start : start + self.batch_size]

    def _generate(self, batch: list[Instance]) -> list[Generation]:
        settings: dict[str, Any] = batch[0].args[1]
        completions = self.complete([request.args[0] for request in batch], settings["until"], settings["max_gen_toks"])
        return [
            Generation(
                id=request.doc["id"],
                group=request.doc["group"],
                prompt=request.args[0],
                response=done.text,
                n_tokens=done.n_tokens,
                finish_reason=done.finish_reason,
            )
            for request, done in zip(batch, completions, strict=True)
        ]
