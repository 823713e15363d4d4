"""The evaluation on the tiny model: lm-eval's own pipeline over our engine and store."""

from pathlib import Path

import pytest

from evals.engines.transformers import Completion, complete
from evals.files import read_records
from evals.judges.reference import prefer
from evals.lm import StoredLM
from evals.model import ModelRef, load_base, load_model, load_tokenizer
from evals.problems import ProblemSet, load_problems
from evals.records import Generation
from evals.scoring import is_correct
from evals.source import Source
from evals.suite import measure, score_responses
from evals.task import load_tasks, prompt_text

PROBLEMS = load_problems("schoolmath", Source(path="bundled/schoolmath"), limit=10, held_out=3, num_fewshot=0)


def ref(model: Path) -> ModelRef:
    return ModelRef(path=str(model), dtype="float32", device="cpu")


def stored_lm(model: Path, path: Path, batch_size: int = 4) -> StoredLM:
    tokenizer, loaded = load_tokenizer(str(model), None, None), load_model(ref(model))
    return StoredLM(
        tokenizer,
        lambda prompts, stop, limit: complete(loaded, tokenizer, prompts, stop=stop, max_tokens=limit),
        path,
        batch_size,
        lambda *_: None,
    )


def canned_lm(model: Path, path: Path, responses: dict[str, str]) -> StoredLM:
    """Answers from a table of question -> response instead of a model: only the text source is replaced."""
    tokenizer = load_tokenizer(str(model), None, None)

    def answer(prompts: list[str], _stop: list[str], _limit: int) -> list[Completion]:
        texts = [next(text for question, text in responses.items() if question in prompt) for prompt in prompts]
        return [Completion(text, len(text.split()), "length" if text.endswith("~") else "stop") for text in texts]

    return StoredLM(tokenizer, answer, path, 4, lambda *_: None)


def test_outcomes_sum_to_n_and_agree_with_the_reward_function(tiny_model: Path, tmp_path: Path) -> None:
    questions = [problem.question for problem in PROBLEMS.problems]
    targets = [problem.answer.rsplit("#### ")[1] for problem in PROBLEMS.problems]
    texts = ["#### {t}", "It is {t}.", "#### 0", "no idea", "so it is 700 ~", "{t} ~"]
    responses = {q: texts[i % 6].format(t=t) for i, (q, t) in enumerate(zip(questions, targets, strict=True))}
    lm = canned_lm(tiny_model, tmp_path / "generations.jsonl", responses)
    scores = score_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16), lm)
    measured = measure(scores, {"base": scores, "previous": scores}, prefer)
    assert sum(measured.outcomes.values()) == 10
    assert measured.outcomes == {"correct": 5, "wrong": 2, "unparsed": 2, "truncated": 1}
    assert measured.metrics["accuracy"].n == 10
    assert measured.metrics["accuracy_held_out"].n == 3
    assert measured.metrics["win_rate_base"].value == 0.5
    answers = {problem.id: problem.answer for problem in PROBLEMS.problems}
    for score, generation in zip(scores, read_records(lm.path, Generation), strict=True):
        assert score.id == generation.id
        assert is_correct(generation.response, answers[score.id]) == score.correct
        assert is_correct(generation.response, answers[score.id], strict=True) == score.correct_strict


def test_an_interrupted_evaluation_ends_with_the_same_generations(tiny_model: Path, tmp_path: Path) -> None:
    tasks = load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16)
    whole = stored_lm(tiny_model, tmp_path / "whole.jsonl")
    scores = score_responses(tasks, whole)
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 13
    (tmp_path / "part.jsonl").write_text("".join(lines[5:10]) + lines[0][:20])
    resumed = stored_lm(tiny_model, tmp_path / "part.jsonl")
    again = score_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16), resumed)
    assert again == scores
    assert (tmp_path / "part.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_a_complete_store_needs_no_model(tiny_model: Path, tmp_path: Path) -> None:
    tasks = load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16)
    first = score_responses(tasks, stored_lm(tiny_model, tmp_path / "g.jsonl"))

    def no_model(*_: object) -> list[Completion]:
        raise AssertionError("nothing was missing")

    replay = StoredLM(load_tokenizer(str(tiny_model), None, None), no_model, tmp_path / "g.jsonl", 4, lambda *_: None)
    assert score_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16), replay) == first


def test_the_training_prompt_is_the_evaluations_prompt(tiny_model: Path, tmp_path: Path) -> None:
    lm = stored_lm(tiny_model, tmp_path / "g.jsonl")
    score_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=2), lm)
    first = read_records(lm.path, Generation)[0]
    question = PROBLEMS.problems[0].question
    assert first.prompt == lm.apply_chat_template([{"role": "user", "content": prompt_text(question)}])


def test_few_shots_come_from_the_train_split(tiny_model: Path, tmp_path: Path) -> None:
    source = Source(path="bundled/schoolmath")
    problems = load_problems("schoolmath", source, limit=2, held_out=0, num_fewshot=3)
    lm = stored_lm(tiny_model, tmp_path / "g.jsonl")
    score_responses(load_tasks(problems, num_fewshot=3, max_tokens=2), lm)
    prompt = read_records(lm.path, Generation)[0].prompt
    shots = [example for example in problems.fewshot if example.question in prompt]
    assert prompt.count("<|im_start|>user") == 4
    assert len(shots) == 3
    assert all(shot.answer in prompt for shot in shots)


def test_ids_do_not_depend_on_the_limit() -> None:
    source = Source(path="bundled/schoolmath")
    fewer: ProblemSet = load_problems("schoolmath", source, limit=4, held_out=0, num_fewshot=0)
    assert fewer.problems == PROBLEMS.problems[:4]


@pytest.mark.parametrize("stop", ["Question:", "<|im_end|>"])
def test_generation_stops_and_counts(tiny_model: Path, stop: str) -> None:
    tokenizer, model = load_tokenizer(str(tiny_model), None, None), load_model(ref(tiny_model))
    for done in complete(model, tokenizer, ["Question: 1 + 1?", "Hello"], stop=[stop], max_tokens=9):
        assert stop not in done.text
        assert done.n_tokens <= 9
        assert (done.finish_reason == "length") == (done.n_tokens == 9) or done.finish_reason == "stop"


def test_a_models_own_end_tokens_end_what_it_says(tiny_model: Path) -> None:
    assert load_base(ref(tiny_model)).generation_config.eos_token_id == [2]
    with_other = load_base(ref(tiny_model).model_copy(update={"eos_token": "<|endoftext|>"}))
    assert with_other.generation_config.eos_token_id == [0, 2]


def test_a_response_does_not_depend_on_what_it_is_batched_with(tiny_model: Path) -> None:
    tokenizer, model = load_tokenizer(str(tiny_model), None, None), load_model(ref(tiny_model))
    prompts = ["Question: 1 + 1?", "A much longer question about 12 apples and 7 pears?"]
    together = complete(model, tokenizer, prompts, stop=[], max_tokens=8)
    apart = [complete(model, tokenizer, [prompt], stop=[], max_tokens=8)[0] for prompt in prompts]
    assert together == apart
