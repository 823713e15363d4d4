"""Ask a model everything an evaluation needs of it, once: responses, log-probabilities of pairs, and lm-eval's tasks.

Nothing is judged here. What is in the folder already is not asked again, so a killed call goes on where it was.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from evals.engines.transformers import Completion, Sampling, complete
from evals.generate import Complete, Generator, Request
from evals.judges.load import judges_prompts
from evals.lm import StoredLM
from evals.lm_tasks import run_task
from evals.logprobs import score_pairs
from evals.model import ModelRef, load_model, load_tokenizer
from evals.preferences import Preference
from evals.problems import ProblemSet
from evals.records import Metric
from evals.settings import EvaluationSettings
from evals.suite import generate_responses
from evals.task import load_tasks

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

OnProgress = Callable[[str, int, int], None]  # what is being done, how much of it is done, of how much


def ask(
    ref: ModelRef,
    settings: EvaluationSettings,
    problems: ProblemSet,
    preferences: Sequence[Preference],
    folder: Path,
    on_progress: OnProgress,
    repeat: int = 0,
) -> dict[str, Metric]:
    """Write generations.jsonl, pairs.jsonl and tasks/ into `folder`; return the metrics of lm-eval's tasks."""
    tokenizer, model = load_tokenizer(ref.path, ref.revision, ref.eos_token), load_model(ref)
    asked, path = settings.problems, folder / "generations.jsonl"
    engine = _engine(model, tokenizer)
    progress = partial(on_progress, "problems")
    sampled = Generator(engine, path, asked.batch_size, progress, asked.samples, asked.temperature, repeat)
    tasks = load_tasks(problems, num_fewshot=asked.num_fewshot, max_tokens=asked.max_tokens)
    generate_responses(tasks, StoredLM(tokenizer, sampled))
    if preferences and judges_prompts(settings.preference.judge):
        greedy = Generator(engine, path, asked.batch_size, partial(on_progress, "prompts"), repeat=repeat)
        greedy.generate([_request(tokenizer, one, settings.preference.max_tokens) for one in preferences])
    score_pairs(model, tokenizer, preferences, folder / "pairs.jsonl", partial(on_progress, "pairs"))
    metrics: dict[str, Metric] = {}
    for task in settings.tasks:
        metrics |= run_task(task, lambda: (model, tokenizer), folder / "tasks", partial(on_progress, task.task)).metrics
    return metrics


def _engine(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerBase") -> Complete:
    def answer(prompts: list[str], stop: Sequence[str], max_tokens: int, sampling: Sampling | None) -> list[Completion]:
        return complete(model, tokenizer, prompts, stop=stop, max_tokens=max_tokens, sampling=sampling)

    return answer


def _request(tokenizer: "PreTrainedTokenizerBase", preference: Preference, max_tokens: int) -> Request:
    prompt = tokenizer.apply_chat_template(preference.prompt, add_generation_prompt=True, tokenize=False)
    return Request(preference.id, "preference", str(prompt), (), max_tokens)
