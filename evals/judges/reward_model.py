"""The `reward_model` judge: the response that a sequence-classification model scores higher wins.

Any such model with one output, by folder or Hub name, as trl's RewardTrainer makes them. It scores
each response on its own, so it has no taste for a slot; whether its taste is people's is for the
passport to say.
"""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from stagelift.evals.judges.judge import Judge, Opinion, Pair
from stagelift.evals.models import pretrained
from stagelift.evals.models.model import Device, model_fingerprint, model_folder
from stagelift.evals.records import Written

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

# prompt, response
Text = tuple[str, str]


class RewardModelJudge(Written):
    """Which model, and how many texts at a time.

    A text has at most `max_length` tokens; a longer one is cut at its beginning.
    """

    kind: Literal["reward_model"] = "reward_model"
    """Always `reward_model`. It is the key above these."""
    path: str
    """A sequence-classification model: a folder or a name on the Hub."""
    revision: str | None = None
    """A branch, tag or commit of a name on the Hub."""
    batch_size: int = Field(default=8, ge=1)
    """How many texts are scored at a time."""
    max_length: int = Field(default=2048, ge=8)
    """How many tokens a text may have; a longer one is cut at its beginning."""


def reward_model_id(settings: RewardModelJudge) -> str:
    """Name the rule, and by a hash the weights and what else can change a score."""
    weights = model_fingerprint(settings.path, settings.revision)
    identity = f"{weights} {settings.max_length} {settings.batch_size}"
    return f"reward_model-1:{hashlib.sha256(identity.encode()).hexdigest()[:16]}"


def reward_model_judge(settings: RewardModelJudge, device: Device) -> Judge:
    """Return the judge; the model is loaded at its first decision."""
    loaded: list[tuple[PreTrainedModel, PreTrainedTokenizerBase]] = []
    rewards: dict[Text, float] = {}

    def decide(pairs: Sequence[Pair]) -> list[Opinion]:
        texts = dict.fromkeys(text for pair in pairs for text in _texts(pair))
        missing = [text for text in texts if text not in rewards]
        if missing:
            if not loaded:
                loaded.append(_load(settings, device))
            scores = score_texts(*loaded[0], missing, settings)
            rewards.update(zip(missing, scores, strict=True))
        return [_opinion(*(rewards[text] for text in _texts(pair))) for pair in pairs]

    return Judge(reward_model_id(settings), decide)


def _texts(pair: Pair) -> tuple[Text, Text]:
    return (pair.prompt, pair.first.text), (pair.prompt, pair.second.text)


def score_texts(
    model: "PreTrainedModel",
    tokenizer: "PreTrainedTokenizerBase",
    texts: Sequence[Text],
    settings: RewardModelJudge,
) -> list[float]:
    """Return the reward of each (prompt, response), in order; batches run longest first."""
    import torch

    written = [chat_text(tokenizer, *text) for text in texts]
    order = sorted(range(len(written)), key=lambda index: (-len(written[index]), index))
    rewards = [0.0] * len(written)
    tokenizer.truncation_side = "left"
    for start in range(0, len(order), settings.batch_size):
        indices = order[start : start + settings.batch_size]
        batch = tokenizer(
            [written[index] for index in indices],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=settings.max_length,
            add_special_tokens=False,
        ).to(model.device)
        with torch.inference_mode():
            scores = model(**batch).logits[:, 0].float().tolist()
        for index, reward in zip(indices, scores, strict=True):
            rewards[index] = reward
    return rewards


def check_reward_model(settings: RewardModelJudge) -> None:
    """Raise ValueError, in a sentence, where there is no such reward model.

    It must be a sequence-classification model with one output and a chat template.
    """
    try:
        source = model_folder(settings.path)
        config = pretrained.model_config(source, settings.revision)
        tokenizer = pretrained.tokenizer(source, settings.revision, padding_side="right")
    # loaders raise errors of many kinds for one cause
    except Exception as error:
        raise ValueError(
            f"Cannot read a reward model at '{settings.path}': {' '.join(str(error).split())}"
        ) from error
    architectures = config.architectures or ["unknown"]
    classifies = any(name.endswith("ForSequenceClassification") for name in architectures)
    if not classifies or config.num_labels != 1:
        raise ValueError(
            f"'{settings.path}' is no reward model: it is "
            f"{', '.join(architectures)} with {config.num_labels} outputs, a "
            "sequence-classification model with one is needed. `stagelift judge train` makes one."
        )
    if not tokenizer.chat_template:
        raise ValueError(
            f"The reward model at '{settings.path}' has no chat template, so it cannot be shown a "
            "conversation."
        )


def _load(
    settings: RewardModelJudge, device: Device
) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    source = model_folder(settings.path)
    model = pretrained.reward_model(source, settings.revision, "auto")
    tokenizer = pretrained.tokenizer(source, settings.revision, padding_side="right")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    # the model looks for the last token that is not padding
    model.config.pad_token_id = tokenizer.pad_token_id
    return model.to(device).eval(), tokenizer


def chat_text(tokenizer: "PreTrainedTokenizerBase", prompt: str, response: str) -> str:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False))


def _opinion(first: float, second: float) -> Opinion:
    score = 0.5 if first == second else float(first > second)
    return Opinion(score=score, reason=f"reward {first:.3f} against {second:.3f}")
