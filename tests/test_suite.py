"""The evaluation on the tiny model: lm-eval's own pipeline over our engine and store."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from lm_eval.evaluator import evaluate

from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.data.problems import ProblemSet, load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.files import read_records
from stagelift.evals.judges.judging import judge_responses
from stagelift.evals.judges.reference import reference_judge
from stagelift.evals.lm_eval.gsm8k import load_tasks
from stagelift.evals.lm_eval.stored_lm import StoredLM, generate_responses
from stagelift.evals.metrics.scoring import is_correct
from stagelift.evals.metrics.suite import compute_metrics, score_responses
from stagelift.evals.models.engines.engine import (
    Answer,
    AnswerLogprob,
    Completion,
    Engine,
    OnFinished,
    Request,
)
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.generate import Generator
from stagelift.evals.models.model import ModelRef, load_base, load_model, load_tokenizer
from stagelift.evals.records import Generation

PROBLEMS = load_problems(
    "schoolmath", Source(path="bundled/schoolmath"), limit=10, held_out=3, num_fewshot=0
)


def ref(model: Path) -> ModelRef:
    return ModelRef(path=str(model), dtype="float32", device="cpu")


def engine(model: Path) -> TransformersEngine:
    return TransformersEngine(load_model(ref(model)), load_tokenizer(str(model), None, None), 4)


def stored_lm(
    model: Path,
    path: Path,
    answer: Engine | None = None,
    samples: int = 1,
    temperature: float = 0.0,
) -> StoredLM:
    timings = path.with_name("timings.jsonl")
    generator = Generator(
        answer or engine(model), path, timings, 1, lambda *_: None, samples, temperature
    )
    return StoredLM(load_tokenizer(str(model), None, None), generator)


@dataclass(frozen=True)
class Canned:
    """Answers from a table of question -> response: only the source of text is replaced."""

    responses: dict[str, str]
    identity: str = "canned"

    def complete(self, requests: Sequence[Request], on_finished: OnFinished) -> list[Completion]:
        on_finished(len(requests))
        return [self._answer(request.prompt) for request in requests]

    def answer_logprobs(self, _answers: Sequence[Answer]) -> list[AnswerLogprob] | None:
        return None

    def _answer(self, prompt: str) -> Completion:
        text = next(text for question, text in self.responses.items() if question in prompt)
        return Completion(text, len(text.split()), "length" if text.endswith("~") else "stop")


def responses_of(lm: StoredLM) -> list[Generation]:
    generate_responses(load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16), lm)
    return read_records(lm.generator.path, Generation)


def test_outcomes_sum_to_n_and_agree_with_the_reward_function(
    tiny_model: Path, tmp_path: Path
) -> None:
    questions = [problem.question for problem in PROBLEMS.problems]
    targets = [problem.answer.rsplit("#### ")[1] for problem in PROBLEMS.problems]
    texts = ["#### {t}", "It is {t}.", "#### 0", "no idea", "so it is 700 ~", "{t} ~"]
    responses = {
        q: texts[i % 6].format(t=t) for i, (q, t) in enumerate(zip(questions, targets, strict=True))
    }
    generations = responses_of(
        stored_lm(tiny_model, tmp_path / "generations.jsonl", Canned(responses))
    )
    scores = score_responses(generations, PROBLEMS.problems)
    verdicts = judge_responses(
        (scores, generations), {"base": (scores, generations)}, reference_judge(), ["test"]
    )
    measured = compute_metrics(scores, verdicts)
    assert sum(measured.outcomes.values()) == 10
    assert measured.outcomes == {"correct": 5, "wrong": 2, "unparsed": 2, "truncated": 1}
    assert measured.metrics["accuracy"].n == 10
    assert measured.metrics["accuracy_held_out"].n == 3
    assert measured.metrics["win_rate_base"].value == 0.5
    answers = {problem.id: problem.answer for problem in PROBLEMS.problems}
    for score, generation in zip(scores, generations, strict=True):
        assert score.id == generation.id
        assert is_correct(generation.response, answers[score.id]) == score.correct


def test_strict_and_flexible_are_what_lm_eval_scores(tiny_model: Path, tmp_path: Path) -> None:
    targets = {problem.question: problem.answer.rsplit("#### ")[1] for problem in PROBLEMS.problems}
    texts = [
        "#### {t}",
        "It is {t}.",
        "#### $ {t}",
        "{t}.00",
        "so 700, no: {t}\n#### 3",
        "nothing",
        "#### {t}.",
        "{t} 1",
    ]
    responses = {
        question: texts[i % 8].format(t=t) for i, (question, t) in enumerate(targets.items())
    }
    lm = stored_lm(tiny_model, tmp_path / "g.jsonl", Canned(responses))
    tasks = {
        "tasks": load_tasks(PROBLEMS, num_fewshot=0, max_tokens=16),
        "groups": {},
        "group_map": {},
    }
    result = evaluate(
        lm, tasks, bootstrap_iters=0, apply_chat_template=True, fewshot_as_multiturn=True
    )
    theirs = {
        (sample["doc"]["id"], sample["filter"]): (
            sample["filtered_resps"][0],
            bool(sample["exact_match"]),
        )
        for samples in result["samples"].values()
        for sample in samples
    }
    for score in score_responses(read_records(tmp_path / "g.jsonl", Generation), PROBLEMS.problems):
        strict, flexible = theirs[score.id, "strict-match"], theirs[score.id, "flexible-extract"]
        assert (score.answer_strict or "[invalid]", score.correct_strict) == strict
        assert (score.answer_flexible or "[invalid]", score.correct_flexible) == flexible
    assert len(theirs) == 26


def test_an_interrupted_evaluation_ends_with_the_same_generations(
    tiny_model: Path, tmp_path: Path
) -> None:
    whole = responses_of(stored_lm(tiny_model, tmp_path / "whole.jsonl"))
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    assert len(lines) == 13
    (tmp_path / "part.jsonl").write_text("".join(lines[5:10]) + lines[0][:20])
    assert responses_of(stored_lm(tiny_model, tmp_path / "part.jsonl")) == whole
    assert (tmp_path / "part.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_samples_differ_and_come_again_after_an_interruption(
    tiny_model: Path, tmp_path: Path
) -> None:
    whole = responses_of(
        stored_lm(tiny_model, tmp_path / "whole.jsonl", samples=3, temperature=1.0)
    )
    assert [one.sample for one in whole] == [0, 1, 2] * 13
    assert len({one.response for one in whole}) > 20
    lines = (tmp_path / "whole.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "part.jsonl").write_text("".join(lines[7:20]))
    responses_of(stored_lm(tiny_model, tmp_path / "part.jsonl", samples=3, temperature=1.0))
    assert (tmp_path / "part.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    scores = score_responses(whole, PROBLEMS.problems)
    measured = compute_metrics(scores, [])
    # prompts, not samples
    assert measured.metrics["accuracy"].n == 10
    assert {"pass@2", "pass@3"} <= set(measured.metrics)
    assert sum(measured.outcomes.values()) == 30


def test_a_complete_store_needs_no_model(tiny_model: Path, tmp_path: Path) -> None:
    first = responses_of(stored_lm(tiny_model, tmp_path / "g.jsonl"))

    def no_model(*_: object) -> list[Completion]:
        raise AssertionError("nothing was missing")

    assert responses_of(stored_lm(tiny_model, tmp_path / "g.jsonl", no_model)) == first


def test_the_training_prompt_is_the_evaluations_prompt(tiny_model: Path, tmp_path: Path) -> None:
    lm = stored_lm(tiny_model, tmp_path / "g.jsonl")
    first = responses_of(lm)[0]
    question = PROBLEMS.problems[0].question
    assert first.prompt == lm.apply_chat_template(
        [{"role": "user", "content": prompt_text(question)}]
    )


def test_few_shots_come_from_the_train_split(tiny_model: Path, tmp_path: Path) -> None:
    source = Source(path="bundled/schoolmath")
    problems = load_problems("schoolmath", source, limit=2, held_out=0, num_fewshot=3)
    lm = stored_lm(tiny_model, tmp_path / "g.jsonl")
    generate_responses(load_tasks(problems, num_fewshot=3, max_tokens=2), lm)
    prompt = read_records(lm.generator.path, Generation)[0].prompt
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
    requests = [Request(prompt, (stop,), 9) for prompt in ("Question: 1 + 1?", "Hello")]
    for done in engine(tiny_model).complete(requests, lambda _: None):
        assert stop not in done.text
        assert done.n_tokens <= 9
        assert (done.finish_reason == "length") == (
            done.n_tokens == 9
        ) or done.finish_reason == "stop"


def test_a_models_own_end_tokens_end_what_it_says(tiny_model: Path) -> None:
    assert load_base(ref(tiny_model)).generation_config.eos_token_id == [2]
    with_other = load_base(ref(tiny_model).model_copy(update={"eos_token": "<|endoftext|>"}))
    assert with_other.generation_config.eos_token_id == [0, 2]


def test_a_response_does_not_depend_on_what_it_is_batched_with(tiny_model: Path) -> None:
    prompts = ["Question: 1 + 1?", "A much longer question about 12 apples and 7 pears?"]
    requests = [Request(prompt, (), 8) for prompt in prompts]
    asked = engine(tiny_model)
    together = asked.complete(requests, lambda _: None)
    apart = [asked.complete([request], lambda _: None)[0] for request in requests]
    assert together == apart
