"""Results of other tools: valid files of every format, changed, and what becomes of an import."""

import io
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow
from hypothesis import strategies as st
from pyarrow import parquet

from stagelift.evals.files import read_json
from stagelift.evals.metrics.measures import measure
from stagelift.harness.errors import UsageError
from stagelift.harness.graph.store import Store
from stagelift.harness.importing import Wanted, import_results
from stagelift.reports.formats.document import render_json
from stagelift.reports.records import RunRecord, read_run
from stagelift.reports.report import build_report
from tests import (
    test_every_eval_ever,
    test_inspect_log,
    test_lighteval,
    test_mt_bench,
    test_reviews,
)
from tests.fuzz.law import Target, assert_sentence
from tests.fuzz.mutations import as_json, as_lines, changed_bytes, changed_value
from tests.test_helm import state, stats
from tests.test_import import annotation, row, sample
from tests.test_lm_eval_folder import TIME, choice, gsm8k, results
from tests.test_promptfoo import result
from tests.test_verdicts import verdict


class Files(NamedTuple):
    """What is imported: a file or folder, those in it with their content, and files of verdicts."""

    place: str
    contents: Mapping[str, Any]
    verdicts: str | None = None


_LM_EVAL = f"samples_gsm8k_{TIME}.jsonl"
_DETAILS = f"details_gsm8k|0_{test_lighteval.TIME}.parquet"
_HELM = "gsm:model=m,data_augmentation=canonical"
_GAMES = [test_mt_bench.pair(81, "model_1", "tie"), test_mt_bench.pair(82, "model_2", "model_1")]
_ANSWERS = [test_mt_bench.answer(81, ["One.", "Two."]), test_mt_bench.answer(82, ["Three.", "4"])]
_STAGES = [
    row(str(number), text, stage=stage, n_tokens=3, finish_reason="stop")
    for stage, text in (("raw", "5"), ("sft", "#### 4"))
    for number in range(3)
]
_VERDICTS = [verdict("5", "#### 4", 2) | {"prompt": f"prompt {number}"} for number in range(3)]
_TRL = {
    "step": [1, 1, 1],
    "prompt": ["p", "p", "q"],
    "completion": ["a", "bb", "c"],
    "correctness": [1.0, 0.0, 1.0],
}

# valid files by format: the first that is imported is of this format
VALID: dict[str, tuple[Files, ...]] = {
    "responses": (
        Files("rows.jsonl", {"rows.jsonl": _STAGES}),
        Files("rows.json", {"rows.json": [row(), row("2", "It is 5.")]}),
        Files("rows.csv", {"rows.csv": "id,prompt,response,target\n1,p,It is 4.,4\n2,q,,5\n"}),
    ),
    "verdicts": (
        Files("rows.jsonl", {"rows.jsonl": _STAGES, "v.jsonl": _VERDICTS}, verdicts="v.jsonl"),
    ),
    "lm-eval": (
        Files(_LM_EVAL, {_LM_EVAL: [*gsm8k(0, 1.0), *gsm8k(1, 0.0)]}),
        Files(
            "out",
            {
                f"out/samples_arc_{TIME}.jsonl": [choice(0, 1.0), choice(1, 0.0)],
                f"out/samples_gsm8k_{TIME}.jsonl": gsm8k(0, 1.0),
                f"out/results_{TIME}.json": results(),
            },
        ),
        Files(_LM_EVAL, {_LM_EVAL: [sample(0, "18", "none", 1.0), sample(1, "17", "none", 0.0)]}),
    ),
    "alpaca-eval": (
        Files(
            "annotations.json", {"annotations.json": [annotation("a", 2.0), annotation("b", 1.25)]}
        ),
    ),
    "alpaca-outputs": (
        Files(
            "model_outputs.json",
            {
                "model_outputs.json": [
                    {"instruction": f"Sing {note}.", "output": note, "generator": "m"}
                    for note in ("La", "Laa")
                ]
            },
        ),
    ),
    "inspect": (
        Files(
            "log.json",
            {
                "log.json": test_inspect_log.log(
                    [
                        test_inspect_log.sample(1, {"match": "C"}),
                        test_inspect_log.sample(2, {"match": "I"}),
                    ],
                    results=test_inspect_log.printed("match", accuracy=0.5),
                )
            },
        ),
    ),
    "helm": (
        Files(
            _HELM,
            {
                f"{_HELM}/run_spec.json": {"name": _HELM, "adapter_spec": {"model": "m"}},
                f"{_HELM}/scenario_state.json": {
                    "request_states": [state("1", "yes"), state("2", "no")]
                },
                f"{_HELM}/per_instance_stats.json": [
                    stats("1", exact_match=1.0),
                    stats("2", exact_match=0.0),
                ],
            },
        ),
    ),
    "lighteval": (
        Files(
            _DETAILS,
            {
                _DETAILS: [
                    test_lighteval.new("q1", 1, ["It is 18."], em=1.0),
                    test_lighteval.new("q2", 0, ["It is 18."], em=0.0),
                ]
            },
        ),
        Files(_DETAILS, {_DETAILS: [test_lighteval.old(), test_lighteval.old(example="q2")]}),
    ),
    "every-eval-ever": (
        Files(
            "x_samples.jsonl",
            {
                "x_samples.jsonl": [
                    test_every_eval_ever.row(),
                    test_every_eval_ever.row("s2", 0.0),
                ],
                "x.json": {"evaluation_results": [test_every_eval_ever.result(0.5)]},
            },
        ),
    ),
    "mt-bench": (
        Files(
            "gpt-4_single.jsonl",
            {"gpt-4_single.jsonl": [test_mt_bench.scored(81, 8), test_mt_bench.scored(82, 5)]},
        ),
        Files("gpt-4_pair.jsonl", {"gpt-4_pair.jsonl": _GAMES}),
        Files("m.jsonl", {"m.jsonl": _ANSWERS}),
    ),
    "reviews": (
        Files(
            "review_m_n.jsonl",
            {"review_m_n.jsonl": [test_reviews.review(1, 8, 9), test_reviews.review(2, 7.5, 6)]},
        ),
    ),
    "trl-completions": (
        Files(
            "completions_00001.parquet",
            {
                "completions_00001.parquet": [
                    dict(zip(_TRL, values, strict=True))
                    for values in zip(*_TRL.values(), strict=True)
                ]
            },
        ),
    ),
    "promptfoo": (
        Files(
            "out.json",
            {
                "out.json": {
                    "results": {
                        "version": 3,
                        "results": [
                            result(topic, {"id": provider}, score)
                            for provider, score in (("a", 1.0), ("b", 0.5))
                            for topic in ("cats", "dogs")
                        ],
                    },
                    "config": {},
                }
            },
        ),
    ),
}


@st.composite
def changed_files(draw: st.DrawFn, files: Files) -> Files:
    """Change one file: what it holds, its bytes, or both."""
    changed = draw(st.sampled_from(sorted(files.contents)))
    contents: dict[str, bytes] = {}
    for name, content in files.contents.items():
        how = draw(st.sampled_from(("content", "content", "bytes", "both")))
        if name != changed:
            how = ""
        if how in ("content", "both") and not isinstance(content, str):
            content = draw(changed_value(content))
        contents[name] = as_bytes(name, content, files.contents[name])
        if how in ("bytes", "both"):
            contents[name] = draw(changed_bytes(contents[name]))
    return files._replace(contents=contents)


def as_bytes(name: str, content: Any, valid: Any) -> bytes:
    """Write content as a name's ending says; a table that no Parquet file holds is left valid."""
    if isinstance(content, str):
        return content.encode("utf-8", "surrogatepass")
    match Path(name).suffix:
        case ".jsonl":
            return as_lines(content)
        case ".parquet":
            try:
                return _parquet(content)
            # a value that no column can hold, or no table at all
            except (
                pyarrow.ArrowException,
                ValueError,
                TypeError,
                AttributeError,
                LookupError,
                OverflowError,
            ):
                return _parquet(valid)
        case _:
            return as_json(content)


def _parquet(rows: Any) -> bytes:
    written = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(rows), written)
    return written.getvalue()


def import_law(case: Files, folder: Path) -> None:
    """Files are refused in a sentence, and nothing is written; or they are a run that can be read,
    in which nothing was measured of nothing.
    """
    for name, content in case.contents.items():
        file = folder / "given" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    store = Store(folder / "runs")
    given = folder / "given"
    verdicts = [] if case.verdicts is None else [given / case.verdicts]
    try:
        imported = import_results(Wanted([str(given / case.place)], verdicts=verdicts), "x", store)
    # what the command turns into exit code 2
    except (UsageError, OSError, ValueError) as refused:
        assert_sentence(str(refused))
        assert not store.root.exists(), "something was written"
    else:
        run = read_run(imported.folder)
        _measured_of_something(run)
        render_json(build_report([run])).encode()
        assert read_json(imported.folder / "run.json")["finished"] is True


def _measured_of_something(run: RunRecord) -> None:
    """Every metric is a number within its interval, of something that was there."""
    for stage in run.stages:
        assert stage.scores or stage.stored_values or stage.verdicts
        for name, metric in stage.evaluation.metrics.items():
            assert metric.n > 0, name
            assert math.isfinite(metric.value), name
            # a percentile interval over resampled documents may leave out the value
            if measure(name).family != "lm-eval task":
                assert metric.low <= metric.value <= metric.high, (name, metric)


def _cases(form: str) -> st.SearchStrategy[Files]:
    return st.sampled_from(VALID[form]).flatmap(changed_files)


# inspect_ai takes seconds to load
IMPORTS = tuple(
    Target(f"import, {form}", _cases(form), import_law, slow=form == "inspect") for form in VALID
)
