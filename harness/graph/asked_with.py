"""What a model is asked with: its chat template and tokenizer, or those of the recipe."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stagelift.evals.data.source import one_sentence
from stagelift.evals.models.chat import goes_on_with_answers, plain_template
from stagelift.evals.models.given import cannot_read
from stagelift.evals.models.model import ModelRef, remembered_of_model, tokenizer_of
from stagelift.evals.records import Record
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.digest import digest

_LONGEST_TEMPLATE = 1_000_000
_GREETING = [{"role": "user", "content": "What is 2 + 3?"}]
# what a tokenizer makes of this tells it from another one: words of several languages, numbers,
# code, white space, signs
_PROBE = """The quick brown fox jumps over 1,234.5 lazy dogs; it's 9:41 o'clock, isn't it?
Question: A shop has 3 boxes with 4 pens each. #### 12\n\n\n    def f(x):\n\treturn [x**2, -1e-3]
Übergrößenträger naïve façade señor Żółć Привет мир नमस्ते 你好，世界 こんにちは 안녕하세요 ∑∫√π≠∞ 🙂
supercalifragilisticexpialidocious unconstitutionally preprocessing\r\n<b>&amp;</b> $100% C++"""


class AskedWith(Record):
    """A model's chat template (None: it has none), the token that ends its turns, and a digest of
    how its tokenizer splits text: equal where lengths in tokens compare.
    """

    template: str | None
    eos_token: str | None
    tokenizer: str


def asked_with(ref: ModelRef) -> AskedWith:
    """Return what a model is asked with. Raises UsageError where its tokenizer cannot be read, or
    its chat template not be used.

    A tokenizer that could be read before is remembered, which spares importing transformers.
    """
    path = ref.tokenizer or ref.path
    read = partial(_read, ref)
    asked = [ref.eos_token, ref.chat_template]
    revision = None if ref.tokenizer else ref.revision
    return AskedWith(**remembered_of_model("asked-with", path, revision, asked, read))


def template_of(ref: ModelRef) -> str:
    """Return the chat template that a model is asked with. Raises UsageError where it has none."""
    template = asked_with(ref).template
    if template is None:
        raise UsageError(
            f"Model '{ref.path}' has no chat template, which prompts need. Use an instruct "
            "variant, set chat_template in the recipe to a file with one, or set chat: false in "
            "every dataset of the recipe: then it is trained on plain text, and asked in it."
        )
    return template


def goes_on(ref: ModelRef) -> bool:
    """Say whether answers that are given to a model go on with what its template opens."""
    return bool(_of_tokenizer("goes-on", ref, goes_on_with_answers))


def plain_text_template(ref: ModelRef) -> str | None:
    """Return a template that leaves texts plain, for a model without one; None where it has one."""
    if asked_with(ref).template is not None:
        return None
    return str(_of_tokenizer("plain-template", ref, plain_template))


def _of_tokenizer(what: str, ref: ModelRef, find_out: Callable[[Any], Any]) -> Any:
    """Return what was found out about a model's tokenizer before, or find it out."""
    path, revision = ref.tokenizer or ref.path, None if ref.tokenizer else ref.revision
    asked = [ref.eos_token, ref.chat_template]
    return remembered_of_model(what, path, revision, asked, lambda: find_out(tokenizer_of(ref)))


def template_text(setting: str | None) -> str | None:
    """Read what a recipe's `chat_template` says: a file, or the template itself.

    Raises UsageError.
    """
    if setting is None or "{{" in setting or "{%" in setting:
        return setting
    try:
        text = Path(setting).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise UsageError(
            f"chat_template is '{setting}', which is neither a file that can be read nor a "
            "template: it has no {{ or {% in it. Give a file such as chat_template.jinja."
        ) from error
    if len(text) > _LONGEST_TEMPLATE:
        raise UsageError(
            f"chat_template '{setting}' has {len(text):,} characters: it is no template."
        )
    return text


def _read(ref: ModelRef) -> dict[str, Any]:
    path = ref.tokenizer or ref.path
    try:
        tokenizer = tokenizer_of(ref)
    except Exception as error:
        # tokenizers raise errors of many kinds for one cause
        raise UsageError(cannot_read(path, error)) from error
    if ref.eos_token is not None and ref.eos_token not in tokenizer.get_vocab():
        raise UsageError(f"model.eos_token '{ref.eos_token}' is not a token of '{path}'.")
    if tokenizer.chat_template:
        _try_template(tokenizer, path)
    return AskedWith(
        template=str(tokenizer.chat_template) if tokenizer.chat_template else None,
        eos_token=tokenizer.eos_token,
        tokenizer=digest(_splitting(tokenizer)),
    ).model_dump()


def _try_template(tokenizer: Any, path: str) -> None:
    try:
        tokenizer.apply_chat_template(_GREETING, add_generation_prompt=True, tokenize=False)
    except Exception as error:
        # a template is a program that others wrote
        raise UsageError(
            f"The chat template of '{path}' cannot write a user's turn: {one_sentence(error)} "
            "Set chat_template in the recipe to another one."
        ) from error


def _splitting(tokenizer: Any) -> list[Any]:
    """What decides how text becomes tokens.

    Special tokens, such as one for padding, do not: responses have none of them inside.
    """
    added = [
        token.content for token in tokenizer.added_tokens_decoder.values() if not token.special
    ]
    return [tokenizer(_PROBE, add_special_tokens=False)["input_ids"], sorted(added)]
