"""Whether a file of weights that torch pickled would run code as it is read.

Libraries read such files with `weights_only`, which runs none of it and ends in an error that
recommends to run it. Here that is seen before, in the file's own words; nothing is unpickled.
"""

import pickletools
import re
import zipfile
from pathlib import Path

# a pickle of weights names functions and types of these, and nothing else; which of them torch
# takes it knows best itself
_PLAIN = re.compile(r"(torch|numpy)(\.\w+)*|collections|_codecs")
_HARMLESS_BUILTINS = {"set", "bytearray", "complex", "dict", "list", "tuple", "int", "float"}
_LARGEST_PICKLE = 200_000_000


def code_in(file: Path) -> str | None:
    """Name what a file would call as it is read, such as `posix.system`; None where it calls
    nothing but what rebuilds weights, or is of a form that torch reads without any.
    """
    if not zipfile.is_zipfile(file):
        return None
    with zipfile.ZipFile(file) as archive:
        pickles = [part for part in archive.infolist() if part.filename.endswith("data.pkl")]
        for part in pickles:
            if part.file_size > _LARGEST_PICKLE:
                return "more than weights need"
            called = next(filter(_is_code, _globals(archive.read(part))), None)
            if called is not None:
                return called
    return None


def _globals(content: bytes) -> list[str]:
    """Name the functions and types that a pickle names."""
    named: list[str] = []
    texts: list[str] = []
    try:
        for code, argument, _ in pickletools.genops(content):
            if code.name == "GLOBAL":
                named.append(str(argument).replace(" ", "."))
            elif code.name == "STACK_GLOBAL":
                named.append(".".join(texts[-2:]))
            elif isinstance(argument, str):
                texts.append(argument)
    except ValueError:
        # a pickle that is cut off, or none: torch says so as it reads it
        return named
    return named


def _is_code(name: str) -> bool:
    module, _, called = name.rpartition(".")
    if module == "builtins":
        return called not in _HARMLESS_BUILTINS
    return _PLAIN.fullmatch(module) is None
