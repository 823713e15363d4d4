"""Log-probabilities of the two answers of preference pairs under a model, stored pair by pair."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from stagelift.evals.data.preferences import Message, Preference
from stagelift.evals.files import append_records, read_records
from stagelift.evals.records import PairScore

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def score_pairs(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    preferences: Sequence[Preference],
    path: Path,
    on_progress: Callable[[int, int], None],
) -> list[PairScore]:
    """Return the summed log-probability (nats) of each pair's answers given its prompt.

    What is in `path` is not redone. Answers are tokenised inside the chat template, end of turn
    included (as in trl's DPOTrainer). What is too long for the model's context loses its beginning,
    as in generation. Rows without a pair are left out.
    """
    known = {score.id: score for score in read_records(path, PairScore)}
    pairs = [pair for pair in preferences if pair.chosen is not None and pair.rejected is not None]
    for pair in pairs:
        if pair.id not in known:
            known[pair.id] = _score(model, tokenizer, pair)
            append_records(path, [known[pair.id]])
        on_progress(sum(other.id in known for other in pairs), len(pairs))
    return [known[pair.id] for pair in pairs]


def _score(
    model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase", pair: Preference
) -> PairScore:
    assert pair.chosen is not None and pair.rejected is not None
    chosen = _logprob(model, tokenizer, pair.prompt, pair.chosen)
    rejected = _logprob(model, tokenizer, pair.prompt, pair.rejected)
    return PairScore(
        id=pair.id,
        chosen=chosen[0],
        rejected=rejected[0],
        chosen_tokens=chosen[1],
        rejected_tokens=rejected[1],
    )


def _logprob(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    prompt: list[Message],
    answer: str,
) -> tuple[float, int]:
    """Return the sum over the answer's tokens and how many they are.

    One sequence a time: padding would change digits.
    """
    import torch

    tokens, start = _tokens(tokenizer, prompt, answer)
    surplus = max(0, len(tokens) - model.config.get_text_config().max_position_embeddings)
    tokens = tokens[surplus:]
    start = min(max(1, start - surplus), len(tokens) - 1)
    sequence = torch.tensor([tokens], device=model.device)
    with torch.inference_mode():
        logits = model(input_ids=sequence).logits[0, start - 1 : -1].float()
    chosen = torch.log_softmax(logits, dim=-1).gather(1, sequence[0, start:, None])
    return float(chosen.double().sum()), len(tokens) - start


def _tokens(
    tokenizer: "PreTrainedTokenizerBase", prompt: list[Message], answer: str
) -> tuple[list[int], int]:
    """Tokenise prompt and answer through the chat template; return them with the position where the
    answer starts.
    """
    turn = {"role": "assistant", "content": answer}
    before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template([*prompt, turn], tokenize=False)
    # not all of `before`: some templates open a thought there that a given answer does not have
    shared = sum(
        1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, whole, strict=False))
    )
    start = len(tokenizer(whole[:shared], add_special_tokens=False)["input_ids"])
    return list(tokenizer(whole, add_special_tokens=False)["input_ids"]), start
