"""How often two engines agree: the same problems, the same model, greedily.

    python -m benchmarks.engines_agree                                      # transformers and vllm
    python -m benchmarks.engines_agree --adapter DIR --engines transformers 'server: {url: ...}'

It says how many responses are the same bytes, how many outcomes the same, and what the mean
difference of accuracy is with its interval: what a comparison across engines has in it.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, cast

from scipy.stats import binomtest

from benchmarks.table import FORMATS, Cell, show, table_of
from stagelift.evals.data.bundled_data import SCHOOLMATH
from stagelift.evals.data.problems import ProblemSet, load_problems
from stagelift.evals.data.source import Source
from stagelift.evals.files import read_records
from stagelift.evals.lm_eval.gsm8k import load_tasks
from stagelift.evals.lm_eval.stored_lm import StoredLM, generate_responses
from stagelift.evals.metrics.suite import score_responses
from stagelift.evals.models import bundled
from stagelift.evals.models.engines.choice import chosen_engine, open_engine
from stagelift.evals.models.engines.settings import ChosenEngine, EngineSettings
from stagelift.evals.models.generate import Generator
from stagelift.evals.models.model import Dtype, ModelRef, load_tokenizer
from stagelift.evals.records import Generation, Score
from stagelift.evals.stats.difference import difference
from stagelift.harness.recipes.sections import EvalsSection
from stagelift.harness.recipes.yaml_text import read_yaml


class Answered(NamedTuple):
    """What an engine made of the problems, in `seconds` without its start."""

    engine: str
    generations: list[Generation]
    scores: list[Score]
    seconds: float


def main() -> None:
    """Print a row for each engine after the first, beside the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=bundled.NAME, help="its folder, or its name")
    parser.add_argument("--adapter", help="a LoRA adapter on it")
    parser.add_argument("--engines", nargs="+", default=["transformers", "vllm"])
    parser.add_argument("--problems", type=int, default=32)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--format", choices=FORMATS, default="table")
    given = parser.parse_args()
    ref = ModelRef(
        path=given.model, dtype=cast(Dtype, given.dtype), device=given.device, adapter=given.adapter
    )
    source = Source(path=SCHOOLMATH, split="test")
    asked = load_problems("schoolmath", source, limit=given.problems, held_out=0, num_fewshot=0)
    engines = [named(text, ref) for text in given.engines]
    first, *others = [answer(ref, engine, asked, given.max_tokens) for engine in engines]
    rows = [agreement(first, other) for other in others]
    title = f"{given.problems} problems of schoolmath, {given.dtype}, beside {first.engine}"
    show([table_of(title, rows)], given.format)


def named(text: str, ref: ModelRef) -> ChosenEngine:
    """Read an engine as a recipe writes it."""
    section = EvalsSection.model_validate({"engine": read_yaml(text, "--engines")})
    settings: EngineSettings = section.engine
    return chosen_engine(settings, ref.path, ref.device)


def answer(ref: ModelRef, engine: ChosenEngine, problems: ProblemSet, max_tokens: int) -> Answered:
    """Have an engine answer the problems, and read its responses."""
    tokenizer = load_tokenizer(ref.path, ref.revision, ref.eos_token)
    tasks = load_tasks(problems, num_fewshot=0, max_tokens=max_tokens)
    with (
        tempfile.TemporaryDirectory() as folder,
        open_engine(engine, ref, tokenizer, 32) as opened,
    ):
        path = Path(folder) / "generations.jsonl"
        generator = Generator(
            opened.engine, path, path.with_name("timings.jsonl"), 32, lambda *_: None
        )
        started = time.monotonic()
        generate_responses(tasks, StoredLM(tokenizer, generator))
        seconds = time.monotonic() - started
        generations = read_records(path, Generation)
        name = opened.engine.identity
    return Answered(name, generations, score_responses(generations, problems.problems), seconds)


def agreement(first: Answered, other: Answered) -> dict[str, Cell]:
    """Return how far two engines agree on the same problems, with 95% intervals."""
    texts = list(zip(first.generations, other.generations, strict=True))
    scores = list(zip(first.scores, other.scores, strict=True))
    right = [(float(bool(one.correct)), float(bool(two.correct))) for one, two in scores]
    between = difference([after - before for before, after in right], bound=1)
    return {
        "engine": other.engine,
        "same bytes": _share([one.response == two.response for one, two in texts]),
        "same outcome": _share([one.outcome == two.outcome for one, two in scores]),
        "accuracy, points": f"{100 * between.delta:+.1f} "
        f"[{100 * between.low:+.1f}, {100 * between.high:+.1f}]",
        "seconds of the first": first.seconds,
        "seconds": other.seconds,
    }


def _share(same: Sequence[bool]) -> str:
    interval = binomtest(sum(same), len(same)).proportion_ci(method="wilson")
    return f"{sum(same)} of {len(same)} [{interval.low:.1%}, {interval.high:.1%}]"


if __name__ == "__main__":
    main()
