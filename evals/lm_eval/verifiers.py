"""lm-eval's IFEval verifiers: whether a response does what it was told, by its own code.

They check form alone: a response that says nothing to the point may follow every instruction. Of
lm-eval's two ways this is the strict one, the response as it stands.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def violated(
    response: str, prompt: str, instructions: Mapping[str, Mapping[str, Any]]
) -> list[str]:
    """Name the instructions that a response does not follow, by lm-eval's names.

    Source: `test_instruction_following_strict` in lm_eval/tasks/ifeval/utils.py. An empty response
    follows nothing.
    """
    return [
        name
        for name, arguments in instructions.items()
        if not (response.strip() and _follows(response, prompt, name, arguments))
    ]


def verifiers_version() -> str:
    """Identify the verifiers' code, for the contract."""
    spec = find_spec("lm_eval")
    assert spec is not None and spec.origin is not None, "lm-eval is installed"
    folder = Path(spec.origin).parent / "tasks" / "ifeval"
    digest = hashlib.sha256()
    for name in ("instructions.py", "instructions_util.py"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()[:16]


def _follows(response: str, prompt: str, name: str, arguments: Mapping[str, Any]) -> bool:
    instruction = _checkers()[name](name)
    instruction.build_description(**arguments)
    taken = instruction.get_instruction_args()
    if taken and "prompt" in taken:
        instruction.build_description(prompt=prompt)
    return bool(instruction.check_following(response))


@cache
def _checkers() -> dict[str, Any]:
    with _without_download():
        from lm_eval.tasks.ifeval.instructions_registry import INSTRUCTION_DICT
    return {**INSTRUCTION_DICT}


@contextmanager
def _without_download() -> Iterator[None]:
    """Keep lm-eval from downloading what nltk splits sentences with, which no verifier of ours
    needs: only the first process of a launch does that.
    """
    before = os.environ.get("LOCAL_RANK")
    os.environ["LOCAL_RANK"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["LOCAL_RANK"]
        else:
            os.environ["LOCAL_RANK"] = before
