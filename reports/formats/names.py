"""Which formats a report has, and which ending of a file's name stands for which."""

from enum import StrEnum
from pathlib import Path


class Format(StrEnum):
    """How a report is written."""

    terminal = "terminal"
    markdown = "markdown"
    html = "html"
    json = "json"
    csv = "csv"
    latex = "latex"


# what is text may be called so, whichever text it is
TEXT = ".txt"
ENDINGS = {
    ".md": Format.markdown,
    ".html": Format.html,
    ".htm": Format.html,
    ".json": Format.json,
    ".csv": Format.csv,
    ".tex": Format.latex,
}


def format_named(name: str) -> Format:
    """Return the format of a name. Raises ValueError, which lists those there are."""
    if name not in Format.__members__:
        raise ValueError(f"There is no format {name!r}. Formats: {', '.join(Format)}.")
    return Format(name)


def format_of(output: Path) -> Format | None:
    """Return the format that the ending of a file's name says; None where it says no more than that
    it is text.

    Raises ValueError for an ending that no format has.
    """
    ending = output.suffix.lower()
    if ending in ("", TEXT):
        return None
    if ending not in ENDINGS:
        remedy = ""
        if ending == ".pdf":
            remedy = (
                " A browser prints the page (.html) as PDF, and --figures FOLDER writes every plot "
                "as PDF."
            )
        raise ValueError(
            f"{output} ends in {output.suffix}, and no report is written so. Endings that work: "
            f"{', '.join([*ENDINGS, TEXT])}.{remedy}"
        )
    return ENDINGS[ending]


def refuse_another_ending(output: Path, form: Format) -> None:
    """Raise ValueError where a file's name promises something else than the format."""
    endings = [ending for ending, known in ENDINGS.items() if known is form]
    if output.suffix.lower() not in ("", TEXT, *endings):
        raise ValueError(
            f"{output} ends in {output.suffix}, and the format is {form.value}. Name a file that "
            f"ends in {' or '.join([*endings, TEXT])}, or leave --format out."
        )
