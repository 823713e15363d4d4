"""lm-eval's LM interface over stored generations: lm-eval writes the prompts, our generator answers
and stores.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lm_eval.api.instance import Instance
from lm_eval.api.model import LM

from stagelift.evals.models.generate import Generator, Prompt

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask
    from transformers import PreTrainedTokenizerBase


class StoredLM(LM):  # type: ignore[misc]  # lm-eval has no type information
    """Answers lm-eval's requests for generations; of several samples it hands lm-eval the first.

    Where there is a `sampler`, it draws of the test problems, too, which lm-eval sees nothing of.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        generator: Generator,
        sampler: Generator | None = None,
    ) -> None:
        super().__init__()
        self.tokenizer = tokenizer
        self.generator = generator
        self.sampler = sampler

    @property
    def tokenizer_name(self) -> str:
        return str(self.tokenizer.name_or_path)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        text = self.tokenizer.apply_chat_template(
            chat_history,
            tokenize=False,
            add_generation_prompt=add_generation_prompt,
            continue_final_message=not add_generation_prompt,
        )
        return str(text)

    def generate_until(self, requests: list[Instance]) -> list[str]:
        """Return the first sample of each request, in order; all samples are stored."""
        prompts = [_prompt(request) for request in requests]
        made = self.generator.generate(prompts)
        if self.sampler is not None:
            tested = [prompt for prompt in prompts if prompt.group == "test"]
            self.sampler.generate([prompt._replace(group="sampled") for prompt in tested])
        return [generation.response for generation in made if generation.sample == 0]

    def loglikelihood(self, requests: list[Instance]) -> list[tuple[float, bool]]:
        raise NotImplementedError("gsm8k asks for generations only.")

    def loglikelihood_rolling(self, requests: list[Instance]) -> list[float]:
        raise NotImplementedError("gsm8k asks for generations only.")


def _prompt(request: Instance) -> Prompt:
    text, settings = request.args
    return Prompt(
        request.doc["id"],
        request.doc["group"],
        text,
        tuple(settings["until"]),
        settings["max_gen_toks"],
    )


def generate_responses(tasks: Mapping[str, "ConfigurableTask"], lm: "StoredLM") -> None:
    """Let lm-eval's `evaluate` write the prompts and ask `lm`, which stores every response."""
    from lm_eval.evaluator import evaluate

    evaluate(
        lm,
        # the shape TaskManager.load returns
        {"tasks": dict(tasks), "groups": {}, "group_map": {}},
        bootstrap_iters=0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
    )
