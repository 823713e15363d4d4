"""Why a command ended without an answer, on standard output in the format that was asked for: what
reads an answer there finds the reason, too.
"""

import json
from collections.abc import Sequence
from itertools import pairwise

from stagelift.harness.streams import write_document


def asked_format(words: Sequence[str]) -> str | None:
    """Return the format that a command line asks for, also one that cannot be understood otherwise;
    None where it asks for none.
    """
    after = [word for before, word in pairwise(words) if before == "--format"]
    joined = [word.partition("=")[2] for word in words if word.startswith("--format=")]
    return next(iter([*after, *joined]), None)


def write_failure(form: str | None, sentence: str, code: int) -> None:
    """Write a sentence and the exit code in a format that machines read; nothing in others."""
    from stagelift.evals.printed import one_line

    said = one_line(sentence.removeprefix("Error: "))
    match form:
        case "json":
            document = json.dumps({"error": said, "exit_code": code}, indent=2)
            write_document(document.replace("##", "\\u0023\\u0023") + "\n")
        case "junit" | "github":
            write_document(_as_check(form, said))


def _as_check(form: str, sentence: str) -> str:
    """Write it as a check writes that there is no answer."""
    from stagelift.reports.gates.answer import render_github, render_junit
    from stagelift.reports.gates.not_comparable import NotComparableError

    render = render_junit if form == "junit" else render_github
    return render(NotComparableError("no answer", sentence))
