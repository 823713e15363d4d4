"""Valid content changed at random: values of JSON and YAML, and the bytes of files."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

Path = tuple[str | int, ...]

# what readers trip over: no numbers, no text, nothing, far too much, and what acts on who shows it
VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, "", " ", [[]], {"": None}, [None], {"a": {"a": {}}}),
    *(0, -1, 1, 2, 0.5, -0.0, 1e308, 1e-320, 2**31, 2**53 + 1, 2**63, -(2**64), 10**30),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "nan",
        "Infinity",
        "1e999",
        "0x10",
        "1_000",
        "yes",
    ),
    *(
        "\x00",
        "\x1b[31mred",
        "::error::no",
        "##[error]no",
        "\u202etxt",
        "\ud800",
        "\ufffe",
        "\u2028",
    ),
    *(
        "../../etc/passwd",
        "/dev/null",
        "C:\\con",
        "http://127.0.0.1:1/v1",
        "hf_" + "a" * 34,
        "~",
        ".",
    ),
    *(
        "#### 7",
        "١٢٣",
        "½",
        "1.1.1.",
        "<b>&amp;",
        "'; --",
        "{{ 7 * 7 }}",
        "${HOME}",
        "!function x.y",
    ),
    *("a" * 3000, "1." * 2000, "9" * 5000, "é" * 500, ["x"] * 300, {str(n): n for n in range(300)}),
)
BYTES: tuple[bytes, ...] = (
    *(
        b"",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\n",
        b"\r",
        b"\t",
        b"\n\n",
        b"  ",
        b"PK\x03\x04",
    ),
    *(b"\x1f\x8b\x08", b"NaN", b"1e999", b"-Infinity", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000),
    *(
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b"- ",
        b"&a ",
        b"*a",
        b"<<: *a",
        b"!!python/x ",
    ),
    *(
        b"\\ud800",
        b"\xed\xa0\x80",
        b"\xf0\x9f\x98\x80",
        b"\x1b[2J",
        b"null",
        b"true",
        b"#",
        b"|",
        b"? ",
    ),
)

_plain = st.one_of(
    # a copy: what is drawn is changed again
    st.sampled_from(VALUES).map(copy.deepcopy),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
)
values = st.recursive(
    _plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def changed_value(draw: st.DrawFn, value: Any, most: int = 3) -> Any:
    """Change a value of dicts, lists and scalars in up to `most` places."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, most))):
        places = list(_places(value))
        place = draw(st.sampled_from(places))
        value = _changed(draw, value, place, places)
    return value


@st.composite
def changed_bytes(draw: st.DrawFn, content: bytes, most: int = 3) -> bytes:
    """Change bytes in up to `most` places."""
    for _ in range(draw(st.integers(1, most))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.sampled_from((0, 1, 2, 5, 30, 200))))
        inserted = draw(
            st.one_of(
                st.sampled_from(BYTES),
                st.binary(max_size=4),
                # lines twice, or somewhere else
                st.integers(0, len(content)).map(lambda at, of=content: of[at : at + 40]),
            )
        )
        content = content[:start] + inserted + content[end:]
    if draw(st.integers(0, 9)) == 0:
        content = content[: draw(st.integers(0, len(content)))]
    return content


def as_json(value: Any) -> bytes:
    """Write JSON as loosely as programs do: with NaN, and with halves of surrogate pairs."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def as_lines(rows: Any) -> bytes:
    """Write JSON lines, of whatever became of a list of rows."""
    listed = rows if isinstance(rows, list) else [rows]
    return b"".join(as_json(row) + b"\n" for row in listed)


def _places(value: Any, here: Path = ()) -> Iterator[Path]:
    yield here
    if isinstance(value, dict):
        for key in value:
            yield from _places(value[key], (*here, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _places(item, (*here, position))


def _at(value: Any, place: Path) -> Any:
    for key in place:
        value = value[key]
    return value


def _changed(draw: st.DrawFn, value: Any, place: Path, places: list[Path]) -> Any:
    """Return a value with another one, or none, in one place."""
    acts = ("replace", "nudge", "copy", "wrap", "remove", "repeat", "rename", "add")
    act = draw(st.sampled_from(acts))
    old = _at(value, place)
    match act:
        case "nudge":
            new = _nudged(draw, old)
        case "copy":
            new = copy.deepcopy(_at(value, draw(st.sampled_from(places))))
        case "wrap":
            new = draw(st.sampled_from(([old], {"a": old}, repr(old))))
        case "add":
            new = _with_more(draw, old)
        case "replace":
            new = draw(values)
        case _:
            return _rearranged(draw, value, place, act)
    if not place:
        return new
    _at(value, place[:-1])[place[-1]] = new
    return value


def _nudged(draw: st.DrawFn, old: Any) -> Any:
    """Return nearly the same: what most mistakes are."""
    if isinstance(old, bool):
        return not old
    if isinstance(old, int | float):
        return draw(st.sampled_from((old + 1, old - 1, -old, old * 1000, float(old), str(old))))
    if isinstance(old, str):
        edits = (
            old[:-1],
            old[1:],
            old * 2,
            old.upper(),
            f" {old}",
            f"{old}\n",
            f"{old}x",
            old[::-1],
        )
        return draw(st.sampled_from(edits))
    return old


def _with_more(draw: st.DrawFn, old: Any) -> Any:
    if isinstance(old, dict):
        return {**old, draw(_keys): draw(values)}
    if isinstance(old, list):
        return [*old, draw(values)]
    return old


_keys = st.one_of(
    st.sampled_from(("id", "name", "path", "token", "args", "", "__class__", "<<", "a.b", "0")),
    st.text(max_size=6),
)


def _rearranged(draw: st.DrawFn, value: Any, place: Path, act: str) -> Any:
    """Take away, repeat or rename what stands in one place."""
    if not place:
        return value
    above, key = _at(value, place[:-1]), place[-1]
    if isinstance(above, list):
        if act == "repeat":
            above.extend([copy.deepcopy(above[key])] * draw(st.sampled_from((1, 2, 30))))
        else:
            del above[key]
    elif act == "remove":
        del above[key]
    else:
        # a name of something else takes its place
        others = st.sampled_from(list(above)) | _keys
        above[draw(others)] = above[key] if act == "repeat" else above.pop(key)
    return value
