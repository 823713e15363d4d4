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


class VllmSettings(Written):
    """vLLM, started for each evaluation; `args` are options of its server, by their own names
    (`gpu_memory_utilization: 0.5`).
    """

    kind: Literal["vllm"] = "vllm"
    args: dict[str, bool | int | float | str] = {}


class ServerSettings(Written):
    """A server that speaks OpenAI's completions, which somebody else started.

    `model` is what it calls the recipe's base model (None: as the recipe does). The key is taken
    from the environment, never from a recipe.
    """

    kind: Literal["server"] = "server"
    url: str
    model: str | None = None
    concurrency: int = Field(default=16, ge=1)
    max_retries: int = Field(default=5, ge=0)
    timeout_seconds: float = Field(default=600, gt=0)


EngineSettings = Annotated[
    Undecided | TransformersSettings | VllmSettings | ServerSettings,
    Field(discriminator="kind"),
]
# what is left once `auto` is decided
ChosenEngine = TransformersSettings | VllmSettings | ServerSettings
