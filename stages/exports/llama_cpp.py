"""llama.cpp's own converter and quantiser, as they are installed here: found, and run.

They are programs of the user's. LLAMA_CPP names a checkout of llama.cpp, else they are looked for
on the PATH. They run with little of our environment: no tokens or keys, and no Hub.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from stagelift.stages.exports.export import CONVERTED

FOLDER = "LLAMA_CPP"
_CONVERTER, _QUANTISER = "convert_hf_to_gguf.py", "llama-quantize"
_SOURCE = "https://github.com/ggml-org/llama.cpp"
# where builds of llama.cpp leave their programs
_BUILT = ("build/bin", "build/bin/Release", "bin", "")
# what they may know of our environment
_PASSED_ON = (
    *("PATH", "HOME", "USERPROFILE", "SYSTEMROOT", "TMPDIR", "TEMP", "TMP", "LANG", "LC_ALL"),
    *("LD_LIBRARY_PATH", "OMP_NUM_THREADS"),
)
_TRIAL_SECONDS = 300
_LONGEST_REASON = 300
_MOST_SAID = 1_000_000
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9


@dataclass(frozen=True)
class LlamaCpp:
    """The converter's script, and the quantiser's program where there is one."""

    converter: Path
    quantiser: Path | None


def find_llama_cpp(kinds: Sequence[str]) -> LlamaCpp:
    """Return what makes GGUF files of these types. Raises ValueError in a sentence where a part of
    it is not installed.
    """
    converter, quantiser = _find(_CONVERTER, ("",)), _find(_QUANTISER, _BUILT)
    if converter is None:
        raise ValueError(
            f"export asks for a GGUF file, which {_CONVERTER} of llama.cpp makes, and that is "
            f"neither on the PATH nor in a folder that {FOLDER} names. Get it with git clone "
            f"{_SOURCE}, set {FOLDER} to its folder, and pip install sentencepiece; or leave gguf "
            "out of export."
        )
    needing = [kind for kind in kinds if kind not in CONVERTED]
    if needing and quantiser is None:
        raise ValueError(
            f"export asks for a GGUF file of type {needing[0]}, which {_QUANTISER} of llama.cpp "
            f"makes, and that is neither on the PATH nor in build/bin of a folder that {FOLDER} "
            f"names. Build llama.cpp ({_SOURCE}, docs/build.md), or take a type that needs no "
            f"quantiser: {', '.join(CONVERTED)}."
        )
    return LlamaCpp(converter, quantiser)


def convert(model: Path, file: Path, kind: str, dtype: str) -> None:
    """Make a GGUF file of a model's folder, whose weights are stored in `dtype`.

    Raises ValueError, in a sentence, where llama.cpp does not.
    """
    tools = find_llama_cpp([kind])
    if kind in CONVERTED:
        _run(_converting(tools, model, file, kind), "converter", sys.stderr)
        return
    assert tools.quantiser is not None, "it was found"
    whole, same = file.with_suffix(".whole.gguf"), {"bfloat16": "bf16", "float16": "f16"}
    _run(_converting(tools, model, whole, same.get(dtype, "f32")), "converter", sys.stderr)
    _run([str(tools.quantiser), str(whole), str(file), kind.upper()], "quantiser", sys.stderr)
    whole.unlink()


def try_converter(model: Path, file: Path) -> None:
    """Make a GGUF file of a model's settings and tokenizer alone, without weights.

    Raises ValueError, in a sentence, where llama.cpp does not know the model or its tokenizer.
    """
    command = _converting(find_llama_cpp([]), model, file, "f16")
    _run([*command, "--vocab-only"], "converter", seconds=_TRIAL_SECONDS)


def _find(program: str, places: Sequence[str]) -> Path | None:
    """Look for a program where LLAMA_CPP says, then on the PATH."""
    folder = os.environ.get(FOLDER)
    if folder:
        for place in places:
            file = Path(folder, place, program).resolve()
            if file.is_file():
                return file
    on_path = shutil.which(program) or shutil.which(program, mode=os.F_OK)
    return None if on_path is None else Path(on_path).resolve()


def _converting(tools: LlamaCpp, model: Path, file: Path, kind: str) -> list[str]:
    command = [sys.executable, str(tools.converter), str(model)]
    return [*command, "--outfile", str(file), "--outtype", kind]


def _run(
    command: Sequence[str], what: str, log: TextIO | None = None, seconds: float | None = None
) -> None:
    """Run a program to its end, write down what it says, and raise ValueError where it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=_environment(),
            timeout=seconds,
            check=False,
            # a worker that is killed takes it along
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ValueError(f"llama.cpp's {what} could not be run: {error}") from error
    said = done.stdout.decode(errors="replace")[-_MOST_SAID:]
    if log is not None:
        log.write(said)
        log.flush()
    if done.returncode != 0:
        raise ValueError(f"llama.cpp's {what} failed: {_reason(said, done.returncode)}")


def _environment() -> dict[str, str]:
    known = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return known | {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGKILL)


def _reason(said: str, code: int) -> str:
    """Return the last thing that a program said, as Python ends with its error."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = "".join(filter(str.isprintable, lines[-1])) if lines else f"exit code {code}"
    missing = re.fullmatch(r"ModuleNotFoundError: No module named '([\w.]+)'", last)
    if missing:
        return f"it needs the Python package {missing[1]}. pip install {missing[1]}"
    return last[:_LONGEST_REASON]
