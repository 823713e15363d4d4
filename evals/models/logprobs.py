"""Log-probabilities of the two answers of preference pairs under a model, stored pair by pair."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from stagelift.evals.data.preferences import Message, Preference
from stagelift.evals.files import append_records, read_records
from stagelift.evals.models.engines.engine import Answer, Engine
from stagelift.evals.records import PairScore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# pairs that an engine is asked at once; they are asked again together
_AT_ONCE = 8


def score_pairs(
    engine: Engine,
    tokenizer: "PreTrainedTokenizerBase",
    preferences: Sequence[Preference],
    path: Path,
    on_progress: Callable[[int, int], None],
) -> list[PairScore]:
    """Return the summed log-probability (nats) of each pair's answers given its prompt.

    What is in `path` is not redone. Answers are tokenised inside the chat template, end of turn
    included (as in trl's DPOTrainer). Rows without a pair are left out, and all of them where the
    engine gives no log-probabilities.
    """
    known = {score.id: score for score in read_records(path, PairScore)}
    pairs = [pair for pair in preferences if pair.chosen is not None and pair.rejected is not None]
    for start in range(0, len(pairs), _AT_ONCE):
        asked = pairs[start : start + _AT_ONCE]
        if not all(pair.id in known for pair in asked):
            scores = _scores(engine, tokenizer, asked)
            if scores is None:
                return []
            append_records(path, [score for score in scores if score.id not in known])
            known |= {score.id: score for score in scores}
        on_progress(sum(pair.id in known for pair in pairs), len(pairs))
    return [known[pair.id] for pair in pairs]


def _scores(
    engine: Engine, tokenizer: "PreTrainedTokenizerBase", pairs: Sequence[Preference]
) -> list[PairScore] | None:
    answers = [answer for pair in pairs for answer in _answers(tokenizer, pair)]
    logprobs = engine.answer_logprobs(answers)
    if logprobs is None:
        return None
    return [
        PairScore(
            id=pair.id,
            chosen=chosen.nats,
            rejected=rejected.nats,
            chosen_tokens=chosen.n_tokens,
            rejected_tokens=rejected.n_tokens,
        )
        for pair, chosen, rejected in zip(pairs, logprobs[::2], logprobs[1::2], strict=True)
    ]


def _answers(tokenizer: "PreTrainedTokenizerBase", pair: Preference) -> tuple[Answer, Answer]:
    assert pair.chosen is not None and pair.rejected is not None
    chosen = _answer(tokenizer, pair.prompt, pair.chosen)
    return chosen, _answer(tokenizer, pair.prompt, pair.rejected)


def _answer(tokenizer: "PreTrainedTokenizerBase", prompt: list[Message], text: str) -> Answer:
    """Put an answer into the chat template, and find where it starts."""
    turn = {"role": "assistant", "content": text}
    before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template([*prompt, turn], tokenize=False)
    # not all of `before`: some templates open a thought there that a given answer does not have
    shared = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, whole, strict=False))
    )
    return Answer(whole[:shared], whole)
