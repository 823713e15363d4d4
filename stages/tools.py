"""Prompts of GRPO and RLOO are asked with the tools of their rows, as SFT and DPO train with them.

TRL shows a chat template the tools that the trainer has, which it calls itself, and none of a row.
"""

from typing import Any

from stagelift.evals.data.turns import BESIDE
from stagelift.evals.models.chat import asked


class ShowsTools:
    """Goes before TRL's GRPOTrainer or RLOOTrainer in the bases of a class."""

    processing_class: Any
    # what of each row in work is shown beside its prompt
    beside: list[dict[str, Any]]

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> Any:
        self.beside = [{name: row.get(name) for name in BESIDE if row.get(name)} for row in inputs]
        of_trl: Any = super()
        return of_trl._generate_and_score_completions(inputs)

    def _tokenize_prompts(self, prompts: list[Any]) -> Any:
        of_trl: Any = super()
        if not any(self.beside):
            return of_trl._tokenize_prompts(prompts)
        rows = zip(prompts, self.beside, strict=True)
        texts = [asked(self.processing_class, prompt, beside) for prompt, beside in rows]
        return self.processing_class(texts, add_special_tokens=False)["input_ids"], None, {}
