"""What is left to learn from rewards: greedy accuracy beside pass@8 and groups with a signal.

    python -m benchmarks.room_to_learn                       # the bundled model
    python -m benchmarks.room_to_learn --adapter runs/nodes/dpo-1234/adapter
    python -m benchmarks.room_to_learn --limit 88 --format markdown

Reinforcement sharpens what a model can already do now and then. Where all of a problem's samples
are right, or all wrong, its group has no gradient; it learns most where 20% to 80% are right. The
problems are schoolmath's `validation`, so what is chosen by this table was not chosen by the test
problems. It does not say how much of the room a training run will take.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence

from benchmarks.table import FORMATS, Cell, Table, show, table_of
from stagelift.evals.data.gsm8k import prompt_text
from stagelift.evals.data.schoolmath import CAPACITY, WordProblem, problems
from stagelift.evals.metrics.scoring import is_correct
from stagelift.evals.models.bundled import NAME
from stagelift.evals.models.engines.engine import Engine, Request, Sampling
from stagelift.evals.models.engines.transformers import TransformersEngine
from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer
from stagelift.stages.precision import resolved

SAMPLES = 8
# between these shares of right samples a group teaches most
TEACHES = (0.2, 0.8)
STOPS = ("Question:", "<|im_end|>")


def main() -> None:
    """Print the table of one model."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=NAME)
    parser.add_argument("--adapter")
    parser.add_argument("--limit", type=int, default=176, help=f"at most {CAPACITY['validation']}")
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    device, dtype = resolved("float32")
    ref = ModelRef(path=given.model, adapter=given.adapter, device=device, dtype=dtype)
    tokenizer = load_tokenizer(ref.path, None, None)
    asked = problems("validation", given.limit)
    prompts = [
        str(
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt_text(problem.question)}],
                add_generation_prompt=True,
                tokenize=False,
            )
        )
        for problem in asked
    ]
    engine = TransformersEngine(load_model(ref), tokenizer, 64)
    show([room(asked, *answered(engine, asked, prompts))], given.format)


def answered(
    engine: Engine, asked: Sequence[WordProblem], prompts: Sequence[str]
) -> tuple[list[bool], list[list[bool]]]:
    """Say of each problem whether the greedy answer is right, and which of its samples are."""
    wanted = [Request(prompt, STOPS, 96) for prompt in prompts]
    wanted += [
        Request(prompt, STOPS, 96, Sampling(1.0, seed=SAMPLES * number + sample))
        for number, prompt in enumerate(prompts)
        for sample in range(SAMPLES)
    ]
    texts = [completion.text for completion in engine.complete(wanted, lambda _: None)]
    samples = texts[len(asked) :]
    groups = [samples[start : start + SAMPLES] for start in range(0, len(samples), SAMPLES)]
    greedy = [is_correct(text, p.answer) for text, p in zip(texts, asked, strict=False)]
    return greedy, [
        [is_correct(text, problem.answer) for text in group]
        for group, problem in zip(groups, asked, strict=True)
    ]


def room(
    asked: Sequence[WordProblem], greedy: Sequence[bool], groups: Sequence[Sequence[bool]]
) -> Table:
    """Make a table with a row for each template and one for all; shares in percent."""
    members: dict[str, list[int]] = defaultdict(list)
    for index, problem in enumerate(asked):
        members[problem.template].append(index)
    members["all"] = [*range(len(asked))]
    rows = [
        {"template": name, "problems": len(indices), **_shares(indices, greedy, groups)}
        for name, indices in members.items()
    ]
    note = (
        f"{SAMPLES} samples at temperature 1; a group has a signal where some are right and some "
        f"wrong, and teaches most where {TEACHES[0]:.0%} to {TEACHES[1]:.0%} are right."
    )
    return table_of("Room to learn, percent", rows, [note])


def _shares(
    indices: Sequence[int], greedy: Sequence[bool], groups: Sequence[Sequence[bool]]
) -> dict[str, Cell]:
    shares = [sum(groups[index]) / len(groups[index]) for index in indices]
    return {
        "greedy": _percent([greedy[index] for index in indices]),
        "sampled": _percent(shares),
        f"pass@{SAMPLES}": _percent([share > 0 for share in shares]),
        "signal": _percent([0 < share < 1 for share in shares]),
        "teaches most": _percent([TEACHES[0] <= share <= TEACHES[1] for share in shares]),
    }


def _percent(values: Sequence[float]) -> float:
    return round(100 * sum(values) / len(values), 1)


if __name__ == "__main__":
    main()
