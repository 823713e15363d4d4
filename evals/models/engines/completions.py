"""One request to a server's /v1/completions, and its reply as far as it can be believed."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, FiniteFloat, NonNegativeInt, field_validator

from stagelift.evals.credentials import words_without_credentials

if TYPE_CHECKING:
    from openai import OpenAI


# more than any completion has, with the prompt that is read aloud before it
_MAX_TOKENS, _MAX_CHARACTERS = 2_000_000, 10_000_000
# what a tokenizer can look up
Token = Annotated[int, Field(ge=0, lt=2**31)]


class Logprobs(BaseModel):
    """Log-probabilities in nats; the first token has none."""

    token_logprobs: list[FiniteFloat | None] = Field(max_length=_MAX_TOKENS, fail_fast=True)


class Choice(BaseModel):
    """What was written. Only vLLM tells the tokens."""

    text: str
    finish_reason: str | None = None
    token_ids: Annotated[list[Token], Field(max_length=_MAX_TOKENS, fail_fast=True)] | None = None
    logprobs: Logprobs | None = None

    @field_validator("text")
    @classmethod
    def _can_be_stored(cls, text: str) -> str:
        """Half of a pair of surrogates cannot; nor can what is too long."""
        if len(text) > _MAX_CHARACTERS:
            raise ValueError(f"text of {len(text):,} characters is no completion")
        return text.encode("utf-8", "replace").decode()


class Usage(BaseModel):
    """How many tokens the server counted, the end of turn perhaps with them."""

    prompt_tokens: NonNegativeInt | None = None
    completion_tokens: NonNegativeInt | None = None


class Reply(BaseModel):
    """A completion. `system_fingerprint` is what the server calls itself."""

    choices: list[Choice] = Field(min_length=1, max_length=100, fail_fast=True)
    usage: Usage | None = None
    system_fingerprint: str | None = None

    @property
    def choice(self) -> Choice:
        return self.choices[0]


def ask(client: "OpenAI", *, body: dict[str, Any], extra: dict[str, Any]) -> Reply:
    """Send one request; `extra` are fields that are not OpenAI's.

    Raises the client's own errors, and ValueError where something else than a completion comes
    back.
    """
    from openai.types import Completion

    completion: object = client.completions.create(**body, extra_body=extra)
    # the client hands on a web page as it is
    if not isinstance(completion, Completion):
        raise ValueError(f"it sent {words_without_credentials(str(completion))[:100]!r}")
    return Reply.model_validate(completion.to_dict(warnings=False))
