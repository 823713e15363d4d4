"""What comes from outside: recipes with credentials, code, hostile text and no bounds."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.faults.bench import Bench
from benchmarks.faults.fault import Fault

TOKEN = "hf_" + "aB3dE6gH9jK2mN5pQ8sT" + "1vW4xY7z0aB3dE"
KEY = "sk-proj-" + "Q1w2E3r4T5y6U7i8O9p0" * 2
_NAME = "hostile\x1b[31m"


def nothing(_: Bench, __: Path) -> None:
    """The command itself is the fault."""


def written(name: str, content: str | bytes) -> Callable[[Bench, Path], None]:
    """Write a file beside `runs`."""
    data = content.encode() if isinstance(content, str) else content
    return lambda _, place: _write(place / name, data)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _on_top(key: str, value: str) -> tuple[str, ...]:
    return ("run", "RECIPE", "--name", "other", "--set", f"{key}={value}", "--dry-run")


def _secret(name: str, key: str, value: str, hidden: str) -> Fault:
    return Fault(
        "secrets",
        name,
        f"`--set {key}=...`",
        nothing,
        _on_top(key, value),
        (2,),
        "credential",
        never=hidden,
    )


SECRETS = (
    _secret("hub_token", "stages.sft.args.hub_token", TOKEN, TOKEN),
    _secret("token by its form", "stages.sft.args.run_name", TOKEN, TOKEN),
    _secret(
        "key of a judge",
        "evals.preference.judge",
        f"{{openai: {{base_url: 'http://127.0.0.1:1/v1', model: m, api_key: {KEY}}}}}",
        KEY,
    ),
    _secret(
        "password in an address", "ray.artefacts", "s3://me:geheim12345@bucket/x", "geheim12345"
    ),
    _secret(
        "password in an option",
        "launcher",
        "{torchrun: {rdzv_conf: 'password=geheim12345'}}",
        "geheim12345",
    ),
)

MODULE = """
from pathlib import Path
Path("{marker}").write_text("it ran")
def reward(completions, **_):
    return [0.0] * len(completions)
def scorer(response, row):
    return 1.0
"""


def _code(_: Bench, place: Path) -> None:
    """Write a module into the working folder."""
    _write(place / "theirs.py", MODULE.format(marker=(place / "runs" / "it-ran")).encode())


# the module writes this where it is imported
_RAN = "it ran"


def _untrusted(name: str, done: str, key: str, value: str, says: str = "trust") -> Fault:
    return Fault("trust", name, done, _code, _on_top(key, value), (2,), says, never=_RAN)


TRUST = (
    Fault(
        "trust",
        "a reward's module",
        "`--dry-run` of a recipe that names a module beside it",
        _code,
        _on_top("stages.grpo.rewards", "[theirs.reward]"),
        (0, 2),
        "",
        never=_RAN,
    ),
    Fault(
        "trust",
        "a reward's module, planned",
        "`plan` of the same",
        _code,
        ("plan", "RECIPE", "--name", "other", "--set", "stages.grpo.rewards=[theirs.reward]"),
        (0, 2),
        "",
        never=_RAN,
    ),
    _untrusted(
        "push_to_hub", "`push_to_hub: true`", "stages.sft.args.push_to_hub", "true", "push_to_hub"
    ),
    replace(
        _untrusted(
            "report_to", "logs to MLflow, which the environment sends away", "report_to", "mlflow"
        ),
        variables={"MLFLOW_TRACKING_URI": "http://mlflow.example:5000"},
    ),
    _untrusted("ray.artefacts", "records go to a bucket", "ray.artefacts", "s3://theirs/x"),
    _untrusted(
        "log folder outside",
        "`logging_dir: /tmp/elsewhere`",
        "stages.sft.args.logging_dir",
        "/tmp/elsewhere",
        "logging_dir|trust",
    ),
    _untrusted(
        "code of a launcher",
        "`run_path: true`",
        "launcher",
        "{torchrun: {nproc_per_node: 1, run_path: true}}",
        "another program",
    ),
    _untrusted(
        "a module outside", "rewards: [os.system]", "stages.grpo.rewards", "[os.system]", "trust|os"
    ),
)


def _text(
    name: str, done: str, strike: Any, command: tuple[str, ...], codes: tuple[int, ...], never: str
) -> Fault:
    return Fault("text", name, done, strike, command, codes, "", never=never)


_ROWS = [
    {"stage": f"s{place}", "id": "1", "prompt": "p", "response": text, "target": "4"}
    for place, text in enumerate(
        ("\x1b]0;title\x07\x1b[2J", "::error::no\n##[error]no", "\u202e4 ####")
    )
]
_JSONL = "".join(f"{json.dumps(row)}\n" for row in _ROWS)

TEXT = (
    _text(
        "escape codes in a name",
        "a recipe's name with an escape code",
        nothing,
        ("run", "RECIPE", "--name", _NAME),
        (2,),
        "\x1b[31m",
    ),
    _text(
        "escape codes in a key",
        "an unknown key with an escape code",
        written("r.yaml", 'name: x\n"\\e[31mkey": 1\nstages: []\n'),
        ("run", "r.yaml", "--dry-run"),
        (2,),
        "\x1b[31m",
    ),
    _text(
        "commands of a runner",
        "a key that is `::error::no`",
        written("r.yaml", 'name: x\n"\\n::error::no": 1\nstages: []\n'),
        ("run", "r.yaml", "--dry-run"),
        (2,),
        "\n::error::no",
    ),
    Fault(
        "text",
        "hostile responses",
        "an import whose responses hold escape codes",
        written("rows.jsonl", _JSONL),
        ("import", "rows.jsonl", "--name", "hostile"),
        (0,),
        "",
        (("report", "hostile"),),
    ),
)

_LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def _row(content: str | bytes, name: str = "rows.jsonl") -> Callable[[Bench, Path], None]:
    return written(name, content)


def _bound(
    name: str,
    done: str,
    strike: Any,
    command: tuple[str, ...],
    says: str,
    codes: tuple[int, ...] = (2,),
) -> Fault:
    return Fault("bounds", name, done, strike, command, codes, says)


_IMPORT = ("import", "rows.jsonl", "--as", "responses", "--name", "other")
_CHECK = ("check", "side.json", "--baseline", "tiny")
_GOOD = '{"id": "1", "prompt": "p", "response": "RESPONSE", "target": "4"}\n'

BOUNDS = (
    _bound(
        "billion laughs",
        "a recipe whose aliases stand for 10^9 values",
        written("r.yaml", _LAUGHS),
        ("run", "r.yaml"),
        "aliases|values",
    ),
    _bound(
        "20,000 keys",
        "a recipe with 20,000 unknown keys",
        written("r.yaml", "name: x\nstages: []\n" + "".join(f"k{n}: 1\n" for n in range(20_000))),
        ("run", "r.yaml"),
        "nknown key|keys|values",
    ),
    _bound(
        "deep YAML",
        "a recipe that is 5,000 deep",
        written("r.yaml", "[" * 5000),
        ("run", "r.yaml"),
        "deep|nested",
    ),
    _bound("deep JSON", "rows that are 100,000 deep", _row("[" * 100_000), _IMPORT, "deep|nested"),
    _bound(
        "gzip bomb",
        "200 kB of gzip that hold 200 MB",
        _row(gzip.compress(b"1" * 200_000_000, 9, mtime=0)),
        _IMPORT,
        "times its own size",
    ),
    _bound(
        "a key twice",
        "report.json with a key twice",
        _row('{"a": 1, "a": 2}', "side.json"),
        _CHECK,
        "twice",
    ),
    _bound("NaN", "report.json with NaN", _row('{"a": NaN}', "side.json"), _CHECK, "NaN"),
    _bound(
        "1e999",
        "report.json with 1e999",
        _row('{"a": 1e999}', "side.json"),
        _CHECK,
        "1e999|64 bits",
    ),
    _bound(
        "a huge integer",
        "report.json with 5,000 digits",
        _row('{"a": ' + "9" * 5000 + "}", "side.json"),
        _CHECK,
        "digits|64 bits|number",
    ),
    _bound(
        "half a character",
        "rows with half a surrogate pair",
        _row('{"id": "1", "prompt": "\\ud800", "response": "4", "target": "4"}\n'),
        _IMPORT,
        "Unicode|surrogate|text",
    ),
    _bound("no text", "rows that are no UTF-8", _row(b"\xff\xfe{}"), _IMPORT, "UTF-8"),
    _bound(
        "1 MB of 1.1.1.",
        "a response of 1 MB",
        _row(_GOOD.replace("RESPONSE", "1." * 500_000)),
        _IMPORT,
        "",
        (0,),
    ),
    _bound(
        "10 MB of digits",
        "a response of 10 MB",
        _row(_GOOD.replace("RESPONSE", "9" * 10_000_000)),
        _IMPORT,
        "",
        (0, 2),
    ),
)

OUTSIDE: tuple[Fault, ...] = (*SECRETS, *TRUST, *TEXT, *BOUNDS)
