"""Every format that can be imported, and which of them a file or folder is.

What is none of them is answered with what was seen in it.
"""

from pathlib import Path

from stagelift.evals.imports.alpaca_eval import ALPACA_EVAL
from stagelift.evals.imports.alpaca_outputs import ALPACA_OUTPUTS
from stagelift.evals.imports.every_eval_ever import EVERY_EVAL_EVER
from stagelift.evals.imports.helm import HELM
from stagelift.evals.imports.inspect_log import INSPECT
from stagelift.evals.imports.lighteval import LIGHTEVAL
from stagelift.evals.imports.lm_eval_folder import LM_EVAL
from stagelift.evals.imports.mt_bench import MT_BENCH
from stagelift.evals.imports.promptfoo import PROMPTFOO
from stagelift.evals.imports.reader import Reader
from stagelift.evals.imports.responses import RESPONSES
from stagelift.evals.imports.reviews import REVIEWS
from stagelift.evals.imports.seen import Seen, look_at
from stagelift.evals.imports.trl_completions import TRL_COMPLETIONS
from stagelift.evals.nearest import did_you_mean

# the first that recognises a file reads it
READERS: tuple[Reader, ...] = (
    LM_EVAL,
    ALPACA_EVAL,
    INSPECT,
    HELM,
    LIGHTEVAL,
    EVERY_EVAL_EVER,
    MT_BENCH,
    REVIEWS,
    TRL_COMPLETIONS,
    PROMPTFOO,
    ALPACA_OUTPUTS,
    RESPONSES,
)

# known, and of no use without something else: the first whose keys are all there
_RESULTS = (
    "lm-eval's results, which are means over documents. Wanted are the samples_*.jsonl beside it, "
    "which lm-eval writes with --log_samples"
)
_OF_NO_USE: tuple[tuple[frozenset[str], str], ...] = (
    (
        frozenset({"config_general", "results", "versions"}),
        "lighteval's results, which are means over documents. Wanted are the details_*.parquet, "
        "which lighteval writes with --save-details",
    ),
    (frozenset({"results", "lm_eval_version"}), _RESULTS),
    (frozenset({"results", "versions"}), _RESULTS),
    (frozenset({"results", "configs"}), _RESULTS),
    (
        frozenset({"win_rate", "standard_error", "n_total"}),
        "AlpacaEval's leaderboard, which is means over instructions. Wanted is the "
        "annotations.json beside it",
    ),
    (
        frozenset({"adapter_spec"}),
        "one file of a run of HELM's. Wanted is the folder that it is in",
    ),
    (
        frozenset({"instance_id", "train_trial_index", "stats"}),
        "one file of a run of HELM's. Wanted is the folder that it is in",
    ),
)
_SHOWN = 12
_TABLES = ("JSON lines", "a JSON list", "JSON columns", "CSV", "Parquet")
# what others call the columns that are known here, the likeliest first
_OTHER_NAMES = {
    "prompt": ("question", "instruction", "input", "query", "problem", "messages", "text"),
    "response": ("output", "completion", "generation", "prediction", "generated_text", "answer"),
    "target": ("gold", "expected", "label", "ground_truth", "reference", "answer", "solution"),
    "id": ("idx", "question_id", "example_id", "doc_id"),
}


def reader_of(path: Path, wanted: Reader | None = None) -> Reader:
    """Return the reader of a file or folder: the one that is `wanted`, else the one it is for.

    Raises ValueError where a file is of no format, or of another one than was named.
    """
    seen = look_at(path)
    recognised = recognise(seen)
    if wanted is None:
        if recognised is None:
            raise ValueError(_not_recognised(seen))
        return recognised
    if wanted.recognises(seen):
        return wanted
    # columns are mapped in the files that have them, and others are read as they are
    if recognised is not None and recognised.name == wanted.name:
        return recognised
    if recognised is not None:
        raise ValueError(
            f"{path} is {recognised.title}, so nothing was imported. As '{wanted.name}' wanted is "
            f"{wanted.how_to_get}."
        )
    if _of_no_use(seen) is not None:
        raise ValueError(_not_recognised(seen))
    return wanted


def recognise(seen: Seen) -> Reader | None:
    """Return the first reader that takes a file or folder for its own."""
    return next((reader for reader in READERS if reader.recognises(seen)), None)


def reader_named(name: str) -> Reader:
    """Return the reader of this name. Raises ValueError, naming all, where there is none."""
    for reader in READERS:
        if reader.name == name:
            return reader
    known = [reader.name for reader in READERS]
    names = ", ".join(known)
    raise ValueError(f"There is no format '{name}'. Known: {names}.{did_you_mean(name, known)}")


def _of_no_use(seen: Seen) -> str | None:
    return next((what for keys, what in _OF_NO_USE if keys <= seen.keys), None)


def _not_recognised(seen: Seen) -> str:
    """Say what a file is, as far as that can be seen, and what would work."""
    known = _of_no_use(seen)
    if known is not None:
        return f"{seen.path} is {known}; so nothing was imported."
    if seen.problem is not None:
        return f"{seen.problem} Nothing was imported."
    wanted = "; ".join(f"{reader.title} ({reader.how_to_get})" for reader in READERS)
    return (
        f"{seen.path} is {seen.kind}{_size(seen)}{_contents(seen)}, which is no format of results "
        f"that is known, so nothing was imported. {_as_table(seen)}Known are {wanted}."
    )


def _size(seen: Seen) -> str:
    """Say how large a file is; nothing of a folder."""
    if not seen.path.is_file():
        return ""
    size = seen.path.stat().st_size
    shown = f"{size:,} bytes" if size < 10_000 else f"{size / 1e6:,.1f} MB"
    return f" of {shown}"


def _as_table(seen: Seen) -> str:
    """Say how rows are imported whose columns are called otherwise, as far as that can be told."""
    guessed: dict[str, str] = {}
    for name, others in _OTHER_NAMES.items():
        free = [other for other in (name, *others) if other in seen.keys - {*guessed.values()}]
        guessed |= {name: free[0]} if free else {}
    pairs = ",".join(f"{name}={own}" for name, own in guessed.items() if name != own)
    if {"prompt", "response"} <= guessed.keys() and pairs:
        return f"If these are prompts and responses, import them with --columns {pairs}. "
    if seen.kind not in _TABLES:
        return ""
    return "If these are prompts and responses, say which is which: --columns prompt=A,response=B. "


def _contents(seen: Seen) -> str:
    """Say which keys or names were seen, the first of them."""
    inside = sorted(seen.keys) or list(seen.names)
    if not inside:
        return ""
    what = "keys" if seen.keys else "files"
    more = f" and {len(inside) - _SHOWN} more" if len(inside) > _SHOWN else ""
    return f" with {what} {', '.join(f'{name!r:.60}' for name in inside[:_SHOWN])}{more}"
