"""The parts of `benchmarks/gpu.py`, one in each process: `python -m benchmarks.gpu_parts PART MODEL
FOLDER`.

A part writes its rows into FOLDER/rows.jsonl as it goes.
"""

import argparse
import gc
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Literal

from benchmarks.bare_trl import Job
from benchmarks.steps import Trained, train_bare, train_ours, write_rows
from benchmarks.table import Cell

Row = dict[str, Cell]
# texts and how many tokens they are
Complete = Callable[[list[str]], tuple[list[str], int]]
T4_BYTES = 15e9
LORA = {"r": 16, "lora_alpha": 32, "target_modules": "all-linear"}
# what a user of such a model asks of a small GPU
ARGS: dict[str, dict[str, Any]] = {
    "sft": {"max_steps": 20, "per_device_train_batch_size": 8, "learning_rate": 1e-4},
    "dpo": {"max_steps": 10, "per_device_train_batch_size": 4, "learning_rate": 1e-5},
    "grpo": {
        "max_steps": 4,
        "per_device_train_batch_size": 16,
        "gradient_accumulation_steps": 2,
        "num_generations": 8,
        "max_completion_length": 96,
        "learning_rate": 1e-5,
    },
}
# the first step of a training warms up
STEPS_IN_TURN = {"sft": 7, "dpo": 5, "grpo": 3}
ROUNDS = 2
NEW_TOKENS = 200


def main() -> None:
    """Measure one part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("model")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tiny", action="store_true")
    given = parser.parse_args()
    with (given.folder / "rows.jsonl").open("a", encoding="utf-8") as rows:
        for row in PARTS[given.part](given.model, given.folder, given.tiny):
            rows.write(f"{json.dumps(row)}\n")
            rows.flush()


def checksum(*, completion_ids: list[list[int]], **_: Any) -> list[float]:
    """A reward that differs within every group: a random model never solves a problem."""
    return [sum(ids) % 1000 / 1000 for ids in completion_ids]


def _card(_model: str, _folder: Path, tiny: bool) -> Iterator[Row]:
    import torch
    import transformers
    import trl

    yield {"what": "device", "": _device_name()}
    yield {"what": "memory (GB)", "": _memory_bytes() / 1e9}
    yield {"what": "copy, bytes read and written (GB/s)", "": _bandwidth(tiny) / 1e9}
    yield {"what": "torch", "": torch.__version__}
    yield {"what": "transformers, trl", "": f"{transformers.__version__}, {trl.__version__}"}


def _tokens(model: str, _folder: Path, tiny: bool) -> Iterator[Row]:
    """Compare engines on equal prompts; the limit is reading every weight once a step."""
    loaded, tokenizer = _loaded(model)
    weights = sum(p.numel() * p.element_size() for p in loaded.parameters())
    steps_a_second = _bandwidth(tiny) / weights
    new, batches = (8, (4,)) if tiny else (NEW_TOKENS, (64, 256))
    engines = {"transformers' generate": _plain, "ours": _ours}
    for batch in batches:
        prompts, texts = _prompts(tokenizer, batch), []
        for name, make in engines.items():
            _fresh()
            complete, rates = make(loaded, tokenizer, new, batch), []
            # the first round warms up
            for _ in range(1 + ROUNDS):
                started = time.perf_counter()
                made, tokens = complete(prompts)
                _wait()
                rates.append(tokens / (time.perf_counter() - started))
            texts.append(made)
            row = _rate_row(name, batch, rates[1:], batch * steps_a_second)
            yield row | {"peak GB": _peak_bytes() / 1e9}
        same = sum(map(str.__eq__, *texts))
        yield {"engine": "ours, same text", "prompts": batch, "tokens/s": f"{same} of {batch}"}
    del loaded
    _fresh()
    yield from _vllm(model, _prompts(tokenizer, 64), 64 * steps_a_second)


def _rate_row(name: str, batch: int, rates: list[float], limit: float) -> Row:
    return {
        "engine": name,
        "prompts": batch,
        "tokens/s": median(rates),
        "range": f"{min(rates):,.0f} to {max(rates):,.0f}",
        "limit": limit,
        "of the limit": f"{median(rates) / limit:.1%}",
    }


def _plain(model: Any, tokenizer: Any, new: int, _batch: int) -> Complete:
    """Ask `generate` as it is, in one padded batch."""
    import torch

    def complete(prompts: list[str]) -> tuple[list[str], int]:
        batch = tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False)
        with torch.inference_mode():
            made = model.generate(
                **batch.to(model.device), max_new_tokens=new, min_new_tokens=new, do_sample=False
            )
        rows = made[:, batch["input_ids"].shape[1] :]
        return tokenizer.batch_decode(rows, skip_special_tokens=True), rows.numel()

    return complete


def _ours(model: Any, tokenizer: Any, new: int, batch: int) -> Complete:
    """Ask the engine that evaluations ask."""
    from stagelift.evals.models.engines.engine import Request
    from stagelift.evals.models.engines.transformers import TransformersEngine

    engine = TransformersEngine(model, tokenizer, batch)

    def complete(prompts: list[str]) -> tuple[list[str], int]:
        made = engine.complete([Request(prompt, (), new) for prompt in prompts], lambda _: None)
        return [completion.text for completion in made], sum(row.n_tokens for row in made)

    return complete


def _vllm(model: str, prompts: list[str], limit: float) -> Iterator[Row]:
    import torch

    if find_spec("vllm") is None or not torch.cuda.is_available():
        yield {"engine": "vllm", "tokens/s": "not measured: not installed"}
        return
    from vllm import LLM, SamplingParams

    engine = LLM(model, dtype="bfloat16", gpu_memory_utilization=0.6)
    params = SamplingParams(temperature=0, max_tokens=NEW_TOKENS, ignore_eos=True)
    rates = []
    for _ in range(1 + ROUNDS):
        started = time.perf_counter()
        made = engine.generate(prompts, params, use_tqdm=False)
        tokens = sum(len(row.outputs[0].token_ids) for row in made)
        rates.append(tokens / (time.perf_counter() - started))
    yield _rate_row("vllm", len(prompts), rates[1:], limit)


def _chain(
    dtype: str, most_bytes: float | None, quantization: Literal["4bit"] | None = None
) -> Callable[[str, Path, bool], Iterator[Row]]:
    """Return the part that trains SFT, DPO and GRPO one after the other."""

    def part(model: str, folder: Path, tiny: bool) -> Iterator[Row]:
        _cap(most_bytes)
        adapter = None
        for kind in ARGS:
            _fresh()
            job = _job(kind, model, folder, folder / kind, dtype, adapter, tiny)
            started = time.perf_counter()
            trained = train_ours(replace(job, quantization=quantization))
            minutes = (time.perf_counter() - started) / 60
            adapter = str(folder / kind / "adapter")
            yield {
                "stage": kind,
                "steps": len(trained.logs),
                "minutes, model loaded and saved": minutes,
                "seconds a step": trained.step,
                "peak GB": _peak_bytes() / 1e9,
                "first loss": trained.logged("loss")[0],
                "last loss": trained.logged("loss")[-1],
            }

    return part


def _steps(model: str, folder: Path, tiny: bool) -> Iterator[Row]:
    """Train by turns, ours and TRL's; the first turn of each warms up."""
    for kind, steps in STEPS_IN_TURN.items():
        turns: dict[str, list[Trained]] = {"ours": [], "TRL": []}
        peaks: dict[str, float] = {}
        for number in range(1 + ROUNDS):
            for name, train in (("ours", train_ours), ("TRL", train_bare)):
                _fresh()
                place = folder / f"{kind}-{name}-{number}"
                job = _job(kind, model, folder, place, "bfloat16", None, tiny)
                job.args["max_steps"] = steps
                if kind == "grpo":
                    job.args["max_completion_length"] = 32
                turns[name].append(train(job))
                peaks[name] = _peak_bytes() / 1e9
                shutil.rmtree(place)
        ours, bare = ([turn.step for turn in turns[name][1:]] for name in ("ours", "TRL"))
        ratios = [one / other for one, other in zip(ours, bare, strict=True)]
        yield {
            "stage": kind,
            "ours": median(ours),
            "TRL": median(bare),
            "ours / TRL": median(ratios),
            "range": f"{min(ratios):.3f} to {max(ratios):.3f}",
            "ours, peak GB": peaks["ours"],
            "TRL, peak GB": peaks["TRL"],
            "first losses": " and ".join(
                f"{turn[0].logged('loss')[0]:.5f}" for turn in turns.values()
            ),
        }


def _job(
    kind: str, model: str, rows: Path, output: Path, dtype: str, adapter: str | None, tiny: bool
) -> Job:
    from stagelift.evals.data.source import Source

    file = rows / f"{kind}.jsonl"
    if not file.exists():
        write_rows(kind, Source(path="bundled/schoolmath", limit=512), file)
    args = {**ARGS[kind], "save_strategy": "no"}
    if tiny:
        args |= {"max_steps": 3, "per_device_train_batch_size": 8}
        args |= {"max_completion_length": 8} if kind == "grpo" else {}
    rewards = ["benchmarks.gpu_parts.checksum"] if kind == "grpo" else []
    return Job(kind, model, dtype, str(file), args, LORA, str(output), adapter, rewards)


def _loaded(model: str) -> Any:
    import torch

    from stagelift.evals.models.model import ModelRef, load_model, load_tokenizer

    where = "cuda" if torch.cuda.is_available() else "cpu"
    ref = ModelRef(path=model, dtype="bfloat16", device=where)
    return load_model(ref), load_tokenizer(model, None, None)


def _prompts(tokenizer: Any, number: int) -> list[str]:
    from stagelift.evals.data.schoolmath import problems

    return [
        tokenizer.apply_chat_template(
            [{"role": "user", "content": problem.question}],
            add_generation_prompt=True,
            tokenize=False,
        )
        for problem in problems("train", number)
    ]


def _bandwidth(tiny: bool) -> float:
    """Copy a large buffer within the device; return bytes read and written a second."""
    import torch

    where = "cuda" if torch.cuda.is_available() else "cpu"
    source = torch.rand(2**20 if tiny else 2**29, device=where)
    target, seconds = torch.empty_like(source), []
    for _ in range(12):
        _wait()
        started = time.perf_counter()
        target.copy_(source)
        _wait()
        seconds.append(time.perf_counter() - started)
    return 2 * source.numel() * source.element_size() / median(seconds[2:])


def _cap(most_bytes: float | None) -> None:
    import torch

    if most_bytes is not None and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(1.0, most_bytes / _memory_bytes()))


def _fresh() -> None:
    """Give back what the last training held, and count its peak no more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _peak_bytes() -> float:
    """Return what was reserved at most: that is what has to fit."""
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_reserved())
    return 0.0


def _memory_bytes() -> float:
    import psutil
    import torch

    if torch.cuda.is_available():
        return float(torch.cuda.get_device_properties(0).total_memory)
    return float(psutil.virtual_memory().total)


def _device_name() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def _wait() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


PARTS: dict[str, Callable[[str, Path, bool], Iterator[Row]]] = {
    "card": _card,
    "tokens": _tokens,
    "bfloat16": _chain("bfloat16", None),
    "float16": _chain("float16", T4_BYTES),
    "four bits": _chain("float16", T4_BYTES, "4bit"),
    "steps": _steps,
}

if __name__ == "__main__":
    main()
