"""Which engine a recipe names, and how it is asked."""

from typing import Annotated, Literal

from pydantic import Field

from stagelift.evals.records import Record, Written


class Undecided(Record):
    """Whatever is there: vLLM on a GPU where it is installed, else transformers."""

    kind: Literal["auto"] = "auto"


class TransformersSettings(Written):
    """The engine that needs nothing but the model itself."""

    kind: Literal["transformers"] = "transformers"
    """Always `transformers`."""


class VllmSettings(Written):
    """vLLM, started for each evaluation; `args` are options of its server, by their own names
    (`gpu_memory_utilization: 0.5`).
    """

    kind: Literal["vllm"] = "vllm"
    """Always `vllm`. It is the key above these."""
    args: dict[str, bool | int | float | str] = {}
    """Options of vLLM's server, by their own names."""


class ServerSettings(Written):
    """A server that speaks OpenAI's completions, which somebody else started.

    `model` is what it calls the recipe's base model (None: as the recipe does). The key is taken
    from the environment, never from a recipe.
    """

    kind: Literal["server"] = "server"
    """Always `server`. It is the key above these."""
    url: str
    """The server, up to and with `/v1`."""
    model: str | None = None
    """What the server calls the base model; as the recipe does if not given."""
    concurrency: int = Field(default=16, ge=1)
    """How many prompts are asked at a time."""
    max_retries: int = Field(default=5, ge=0)
    """How often a request that failed is sent again."""
    timeout_seconds: float = Field(default=600, gt=0)
    """How long an answer is waited for."""


EngineSettings = Annotated[
    Undecided | TransformersSettings | VllmSettings | ServerSettings,
    Field(discriminator="kind"),
]
# what is left once `auto` is decided
ChosenEngine = TransformersSettings | VllmSettings | ServerSettings
