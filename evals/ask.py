"""Ask a model everything an evaluation needs of it, once.

These are responses, log-probabilities of pairs, the retention suite, and lm-eval's tasks. Nothing
is judged here. What is in the folder already is not asked again, so a killed call goes on where it
was.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from stagelift.evals.data.instruction_prompts import InstructionPrompt, instruction_prompts
from stagelift.evals.data.own_rows import OwnProblem
from stagelift.evals.data.preferences import Preference
from stagelift.evals.data.problems import ProblemSet
from stagelift.evals.data.retained import choices, passages
from stagelift.evals.data.source import one_sentence
from stagelift.evals.files import append_records
from stagelift.evals.folders import EvaluationFolder
from stagelift.evals.judges.load import judges_prompts
from stagelift.evals.lm_eval.gsm8k import load_tasks
from stagelift.evals.lm_eval.stored_lm import StoredLM, generate_responses
from stagelift.evals.lm_eval.tasks import run_task
from stagelift.evals.metrics.sampled import TEMPERATURE
from stagelift.evals.models.chat import asked
from stagelift.evals.models.engines.choice import Opened, open_engine
from stagelift.evals.models.engines.engine import Engine
from stagelift.evals.models.generate import Generator, Prompt
from stagelift.evals.models.logprobs import score_choices, score_pairs, score_passages
from stagelift.evals.models.model import ModelRef, load_model, tokenizer_of
from stagelift.evals.records import Metric
from stagelift.evals.settings import EvaluationSettings, RetentionSettings

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# what is being done, how much of it is done, of how much
OnProgress = Callable[[str, int, int], None]


class Asked(NamedTuple):
    """The metrics of lm-eval's tasks, and what a server that answered calls itself, by its kind."""

    metrics: dict[str, Metric]
    server: dict[str, str]


def ask(
    ref: ModelRef,
    settings: EvaluationSettings,
    problems: ProblemSet,
    own: Sequence[OwnProblem],
    preferences: Sequence[Preference],
    folder: EvaluationFolder,
    on_progress: OnProgress,
    on_opened: Callable[[Opened], None],
    repeat: int = 0,
    *,
    counts_tokens: bool = True,
) -> Asked:
    """Fill a folder with what the model answers.

    `on_opened` is shown the engine before it is asked anything, and may refuse it. Lengths in
    tokens are kept where it `counts_tokens`.
    """
    tokenizer = tokenizer_of(ref)
    slots = settings.problems.batch_size
    with open_engine(settings.engine, ref, tokenizer, slots) as opened:
        on_opened(opened)
        greedy = Generator(
            engine=opened.engine,
            path=folder.generations,
            timings=folder.timings,
            batch_size=settings.problems.batch_size,
            on_progress=partial(on_progress, "prompts"),
            repeat=repeat,
            counts_tokens=counts_tokens,
        )
        # an evaluation without responses is whole, too
        append_records(folder.generations, [])
        if problems.problems:
            _ask_problems(greedy, tokenizer, settings, problems, on_progress)
        _ask_own(greedy, tokenizer, settings, own, on_progress)
        if preferences and judges_prompts(settings.preference.judge):
            max_tokens = settings.preference.max_tokens
            greedy.generate([_prompt(tokenizer, asked, max_tokens) for asked in preferences])
        progress = partial(on_progress, "pairs")
        score_pairs(opened.engine, tokenizer, preferences, folder.pairs, progress)
        if settings.retention is not None:
            _ask_retained(opened.engine, greedy, tokenizer, settings.retention, folder, on_progress)
        server = opened.version
    # one model at a time
    del opened, greedy
    return Asked(_task_metrics(ref, tokenizer, settings, folder, on_progress), server)


def _ask_problems(
    greedy: Generator,
    tokenizer: "PreTrainedTokenizerBase",
    settings: EvaluationSettings,
    problems: ProblemSet,
    on_progress: OnProgress,
) -> None:
    asked = settings.problems
    sampled = replace(
        greedy,
        on_progress=partial(on_progress, "problems"),
        samples=asked.samples,
        temperature=asked.temperature,
    )
    tasks = load_tasks(problems, num_fewshot=asked.num_fewshot, max_tokens=asked.max_tokens)
    sampler = _beside(greedy, asked.sampled, on_progress)
    generate_responses(tasks, StoredLM(tokenizer, sampled, sampler))


def _beside(greedy: Generator, samples: int, on_progress: OnProgress) -> Generator | None:
    """Return what draws samples beside the greedy response; None where there are none to draw."""
    if not samples:
        return None
    return replace(
        greedy,
        on_progress=partial(on_progress, "samples"),
        samples=samples,
        temperature=TEMPERATURE,
        # 0 is the greedy response
        first_sample=1,
    )


def _ask_own(
    greedy: Generator,
    tokenizer: "PreTrainedTokenizerBase",
    settings: EvaluationSettings,
    problems: Sequence[OwnProblem],
    on_progress: OnProgress,
) -> None:
    """Ask the user's own tasks, each in its own way; of the main one samples may be drawn, too."""
    for task in settings.own_tasks():
        prompts = [
            prompt_of_row(tokenizer, problem, task.max_tokens)
            for problem in problems
            if problem.task == task.task
        ]
        generator = replace(
            greedy,
            on_progress=partial(on_progress, task.task),
            samples=task.samples,
            temperature=task.temperature,
        )
        generator.generate(prompts)
        sampler = _beside(greedy, settings.problems.sampled, on_progress)
        if sampler is not None and task.task == settings.problems.task:
            sampler.generate([prompt._replace(group="sampled") for prompt in prompts])


def prompt_of_row(
    tokenizer: "PreTrainedTokenizerBase", problem: OwnProblem, max_tokens: int
) -> Prompt:
    """Return the prompt of a row of the user's, in the model's chat template.

    Raises ValueError, in a sentence, where the template does not take it.
    """
    try:
        text = asked(tokenizer, problem.prompt, problem.row)
    # templates raise what they like, for what they do not take
    except Exception as error:
        raise ValueError(
            f"The model's chat template does not take the prompt of {problem.id}: "
            f"{one_sentence(error)}"
        ) from error
    return Prompt(problem.id, problem.group, text, (), max_tokens)


def _ask_retained(
    engine: Engine,
    greedy: Generator,
    tokenizer: "PreTrainedTokenizerBase",
    asked: RetentionSettings,
    folder: EvaluationFolder,
    on_progress: OnProgress,
) -> None:
    """Ask the retention suite; an engine without log-probabilities measures its prompts alone."""
    prompts = instruction_prompts(asked.instructions)
    answering = replace(greedy, on_progress=partial(on_progress, "instructions"))
    answering.generate([_instruction(tokenizer, prompt, asked.max_tokens) for prompt in prompts])
    questions, texts = choices(asked.choices), passages(asked.passages)
    progress = partial(on_progress, "choices")
    score_choices(engine, tokenizer, questions, folder.choices, progress)
    score_passages(engine, tokenizer, texts, folder.passages, partial(on_progress, "passages"))


def _instruction(
    tokenizer: "PreTrainedTokenizerBase", instruction: InstructionPrompt, max_tokens: int
) -> Prompt:
    text = asked(tokenizer, [{"role": "user", "content": instruction.prompt}])
    return Prompt(instruction.id, "instructions", text, (), max_tokens)


def _task_metrics(
    ref: ModelRef,
    tokenizer: "PreTrainedTokenizerBase",
    settings: EvaluationSettings,
    folder: EvaluationFolder,
    on_progress: OnProgress,
) -> dict[str, Metric]:
    """Run lm-eval's tasks on the model itself; it is loaded once, where one is missing."""
    load = cache(lambda: (load_model(ref), tokenizer))
    metrics: dict[str, Metric] = {}
    for task in settings.tasks:
        progress = partial(on_progress, task.task)
        metrics |= run_task(task, load, folder.tasks, progress).metrics
    return metrics


def _prompt(
    tokenizer: "PreTrainedTokenizerBase", preference: Preference, max_tokens: int
) -> Prompt:
    text = asked(tokenizer, preference.prompt, preference.beside)
    return Prompt(preference.id, "preference", text, (), max_tokens)
