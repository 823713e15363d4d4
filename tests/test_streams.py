"""On the command's streams nothing that is printed acts, whoever prints it."""

import io
import logging
import os
import shutil
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from stagelift.harness.streams import cleaned, cleaned_streams, for_styled, write_document
from tests.test_markdown import without_picture

HOSTILE = "x\x1b]0;title\x07\u202e\n::error::no\n##[error]no"


def test_what_is_printed_is_shown_and_is_no_command() -> None:
    under = io.StringIO()
    print(HOSTILE, "::warning::", file=cleaned(under))
    assert under.getvalue() == (
        "x<U+001B>]0;title<U+0007><U+202E>\n: :error::no\n# #[error]no ::warning::\n"
    )


def test_a_command_in_pieces_is_none() -> None:
    under = io.StringIO()
    stream = cleaned(under)
    for piece in ("  ", ":", ":error", "::no", "\n", "a", "::b\n"):
        stream.write(piece)
    assert under.getvalue() == "  : :error::no\na::b\n"


TOKEN = "hf_" + "aB3dE5gH7j" * 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("##vso[task.x]y\n", "# #vso[task.x]y\n"),
        (" ::error::no\n", " : :error::no\n"),
        ("#### 7\n", "#### 7\n"),
        (f"a {TOKEN} b\n", "a [credential] b\n"),
        (f"at https://me:{TOKEN}@there.org/\n", "at https://[credential]@there.org/\n"),
        ("a\r\nb \u202e\n", "a\nb <U+202E>\n"),
    ],
)
def test_wherever_a_line_is_cut_it_is_shown_as_one(text: str, shown: str) -> None:
    for cut in range(len(text) + 1):
        under = io.StringIO()
        cleaned(under).writelines([text[:cut], text[cut:]])
        assert under.getvalue() == shown
    under = io.StringIO()
    cleaned(under).writelines(list(text))
    assert under.getvalue() == shown


def test_a_key_of_several_lines_is_none_in_pieces() -> None:
    under = io.StringIO()
    stream = cleaned(under)
    for line in ("-----BEGIN RSA PRIVATE KEY-----", "MIIEow" * 10, "AbCd12" * 10):
        print(line, file=stream)
    print("-----END RSA PRIVATE KEY-----\nafter", file=stream)
    assert "MIIEow" not in under.getvalue() and "AbCd12" not in under.getvalue()
    assert under.getvalue().endswith("after\n")


def test_a_prompt_is_shown_at_a_flush_and_nothing_twice() -> None:
    under = io.StringIO()
    stream = cleaned(under)
    shown = []
    for piece in ("Name? ", "##vso", "[task]", ":", "\n", ":", ":error::", "\r", "\n"):
        stream.write(piece)
        stream.flush()
        shown.append(under.getvalue())
    assert shown[0] == "Name? "
    assert shown[-1] == "Name? ##vso [task]:\n: :error::<U+000D>\n"


def test_what_is_begun_is_shown_when_the_command_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    under = io.StringIO()
    monkeypatch.setattr(sys, "stderr", under)
    with cleaned_streams():
        sys.stderr.write("begun")
    assert under.getvalue() == "begun"


def test_styles_and_documents_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    under = io.StringIO()
    monkeypatch.setattr(sys, "stdout", under)
    with cleaned_streams():
        for_styled(sys.stdout).write("\x1b[1mbold\x1b[0m\n::error::no\n")
        write_document("::error title=ours::yes\n")
    assert under.getvalue() == "\x1b[1mbold\x1b[0m\n: :error::no\n::error title=ours::yes\n"
    assert sys.stdout is under


def test_tracebacks_and_logs_are_printed_cleanly(monkeypatch: pytest.MonkeyPatch) -> None:
    under = io.StringIO()
    monkeypatch.setattr(sys, "stderr", under)
    with cleaned_streams():
        traceback.print_exception(ValueError(HOSTILE))
        # what there is where nobody set up any
        logging.lastResort.handle(logging.makeLogRecord({"msg": HOSTILE, "levelno": 50}))
    assert under.getvalue().count("x<U+001B>]0;title<U+0007><U+202E>\n: :error::no\n# #[err") == 2


ASCII = {"PYTHONIOENCODING": "ascii"}
C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["report", "\x1b[31m\u202e–漢"], ASCII),
        (["report", os.fsdecode(b"\xff\x9b")], C_LOCALE),
        (["--\x1b[31m\u202e"], ASCII),
        (["no\x1b]0;x\x07\n::error::such-command"], C_LOCALE),
        (["report", "a", "--format", "\x1b[2J\n::error::漢"], C_LOCALE),
        (["check", "a", "--allow-missing", "\x1b[2J\u202e"], ASCII),
    ],
)
def test_no_argument_acts_and_no_encoding_ends_the_command(
    tmp_path: Path, arguments: list[str], environment: dict[str, str]
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "stagelift.harness", *arguments],
        cwd=tmp_path,
        env={**os.environ, **environment},
        capture_output=True,
        check=False,
    )
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 2 and "Traceback" not in said and "Error: " in said
    assert not set(map(ord, said)) & {*range(9), *range(11, 32), *range(127, 160), 0x202E}
    assert not any(line.lstrip().startswith("::") for line in said.splitlines())


def test_a_document_is_utf_8_whatever_the_locale_is(tmp_path: Path) -> None:
    stored = Path(__file__).parent / "data" / "earlier" / "stored"
    shutil.copytree(stored / "theirs", tmp_path / "runs" / "theirs")
    shutil.copytree(stored / "nodes", tmp_path / "runs" / "nodes")
    done = subprocess.run(
        [sys.executable, "-m", "stagelift.harness", "report", "theirs", "--format", "markdown"],
        cwd=tmp_path,
        env={**os.environ, **ASCII},
        capture_output=True,
        check=True,
    )
    written = without_picture((stored / "theirs" / "report.md").read_text("utf-8"))
    assert done.stdout.decode() == written and not written.isascii()


def test_a_name_that_no_encoding_has_is_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "stagelift.harness", "report", os.fsdecode(b"\xff")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, text=True)
    assert done.stderr.startswith("Error: runs/<U+DCFF> is not a run")
