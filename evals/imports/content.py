"""What a document is, whatever it is called: a hash of what was asked and of its target."""

import hashlib
import json

from stagelift.evals.imports.results import Document
from stagelift.evals.metrics.answers.reading import read_target


def content_of(document: Document) -> tuple[str, ...]:
    """Return what makes two documents the same: their own digest, else prompt and target.

    Line ends and white space around a prompt do not count, nor how a number is written: files of
    other tools differ in them.
    """
    if document.digest is not None:
        return (document.digest,)
    prompt = "\n".join(document.prompt.split("\r\n")).strip()
    target = document.target or ""
    return (prompt, read_target(target) or target.strip())


def content_id(document: Document) -> str:
    """Name a document by its content, where no id tells it."""
    text = json.dumps(content_of(document), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
