"""Finish rows in slots: a row that is done leaves, and a waiting one takes its place.

What all prompts begin with is computed once, and so is a prompt that comes several times. The model
may be any that keeps keys and values of all tokens; it is called as it is.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch

from stagelift.evals.models.engines.cache import Place, SlotCache
from stagelift.evals.models.engines.engine import OnFinished
from stagelift.evals.models.engines.rows import Row, common_beginning, next_tokens

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# tokens of prompts that are read at once: more only cost memory on a CPU, on a GPU they save passes
_AT_ONCE = {"cpu": 1024}
_AT_ONCE_ELSEWHERE = 8192


class Slots:
    """`rows` are in work, in slots 0, 1, 2 and so on."""

    def __init__(self, model: "PreTrainedModel", slots: int) -> None:
        self.model = model
        self.slots = slots
        self.cache = SlotCache(model.config, slots)
        self.rows: list[Row] = []
        self.shared = 0

    def finish(self, rows: Sequence[Row], on_finished: OnFinished) -> None:
        """Generate every row to its end."""
        # the longest prompts first: what is most likely to run out of memory comes first
        waiting = deque(sorted(rows, key=lambda row: (-len(row.prompt), row.prompt)))
        with torch.inference_mode():
            self._share(rows)
            while waiting or self.rows:
                self._admit(waiting)
                self._step()
                if self._leave():
                    on_finished(len(rows) - len(waiting) - len(self.rows))

    def _share(self, rows: Sequence[Row]) -> None:
        """Read what all prompts begin with.

        A prompt's last token is not read: it is the first that a row is given.
        """
        prefix = common_beginning([row.prompt[:-1] for row in rows])
        self.shared = 0
        self._read([prefix], self.cache.spare)
        self.shared = len(prefix)

    def _admit(self, waiting: deque[Row]) -> None:
        """Fill the free slots, once there are enough of them to be worth a forward pass."""
        free = min(self.slots - len(self.rows), len(waiting))
        if self.rows and free < min(len(waiting), -(-self.slots // 8)):
            return
        self._start([waiting.popleft() for _ in range(free)])

    def _start(self, new: Sequence[Row]) -> None:
        """Read prompts into free slots; one that is in a slot already is copied from there."""
        known = {row.prompt for row in self.rows}
        unread = {row.prompt: row for row in new if row.prompt not in known}
        at_once = _AT_ONCE.get(self.model.device.type, _AT_ONCE_ELSEWHERE)
        for group in _groups([*unread.values()], at_once):
            self._read([row.prompt[self.shared : -1] for row in group], len(self.rows))
            self.rows += group
        slots = {row.prompt: slot for slot, row in enumerate(self.rows)}
        copies = [row for row in new if unread.get(row.prompt) is not row]
        self._copy([slots[row.prompt] for row in copies], len(self.rows), copies)
        self.rows += copies

    def _copy(self, sources: list[int], first: int, rows: Sequence[Row]) -> None:
        length = max((row.before for row in rows), default=0)
        if length:
            self.cache.copy(sources, range(first, first + len(rows)), length)

    def _read(self, prompts: Sequence[Sequence[int]], first: int) -> None:
        """Read tokens that follow those shared by all into slots, from `first` on.

        They are padded on the right, which no token before sees.
        """
        longest = max(len(prompt) for prompt in prompts)
        if self.shared:
            targets = range(first, first + len(prompts))
            self.cache.copy([self.cache.spare] * len(prompts), targets, self.shared)
        if longest:
            tokens = torch.tensor([[*prompt, *[0] * (longest - len(prompt))] for prompt in prompts])
            until = self.shared + longest
            self.cache.turn_to(Place(first, len(prompts), self.shared, until))
            positions = torch.arange(self.shared, until).expand(len(prompts), -1)
            self._forward(tokens, positions, None)

    def logits_of(self, rows: Sequence[Row]) -> torch.Tensor:
        """Return the logits (rows, vocabulary) after prompts that fit into the slots together."""
        self._share(rows)
        self._admit(deque(rows))
        return self._logits()

    def _step(self) -> None:
        """Go on by a token in every row."""
        tokens = next_tokens(self.rows, self._logits()).tolist()
        for row, token in zip(self.rows, tokens, strict=True):
            row.take(token)

    def _logits(self) -> torch.Tensor:
        starts = torch.tensor([row.before for row in self.rows], device=self.model.device)
        until = max(row.before for row in self.rows) + 1
        self.cache.turn_to(Place(0, len(self.rows), starts, until))
        seen = torch.arange(until, device=starts.device) <= starts[:, None]
        mask = torch.zeros(seen.shape, dtype=self.model.dtype, device=starts.device)
        mask = mask.masked_fill(~seen, torch.finfo(mask.dtype).min)[:, None, None, :]
        tokens = torch.tensor([[row.last] for row in self.rows])
        return self._forward(tokens, starts[:, None], mask)

    def _forward(
        self, tokens: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor | None
    ) -> torch.Tensor:
        """Return the logits (rows, vocabulary) after the last token."""
        output = self.model(
            input_ids=tokens.to(self.model.device),
            position_ids=positions.to(self.model.device),
            attention_mask=mask,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = output.logits[:, -1].float()
        return logits

    def _leave(self) -> bool:
        """Let rows go that are done; the last ones move into their slots."""
        staying = [slot for slot, row in enumerate(self.rows) if not row.is_done]
        if len(staying) == len(self.rows):
            return False
        holes = [slot for slot in range(len(staying)) if self.rows[slot].is_done]
        moved = staying[len(staying) - len(holes) :]
        if holes:
            length = max(self.rows[slot].before for slot in moved)
            self.cache.copy(moved, holes, length)
        for hole, slot in zip(holes, moved, strict=True):
            self.rows[hole] = self.rows[slot]
        del self.rows[len(staying) :]
        return True


def _groups(rows: Sequence[Row], at_once: int) -> Iterator[list[Row]]:
    """Split rows, longest first, so that a group holds few enough tokens with its padding."""
    start = 0
    while start < len(rows):
        size = max(1, at_once // len(rows[start].prompt))
        yield [*rows[start : start + size]]
        start += size
