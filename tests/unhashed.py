"""Records as earlier code wrote them, without hashes: what was changed by hand is then told by what
it says.
"""

import json
from pathlib import Path

from stagelift.evals.files import read_json
from stagelift.evals.hashes import HASHES


def unhashed(root: Path) -> Path:
    """Take the hashes out of every record below a folder, and return the folder."""
    for file in root.rglob(HASHES):
        file.unlink()
    for file in root.rglob("*.json"):
        if file.name in ("stage.json", "result.json", "selection.json", "export.json"):
            without(file, "hashes")
        if file.name in ("run.json", "node.json"):
            without(file, "sha256")
    return root


def without(file: Path, *names: str) -> None:
    """Leave fields out of a JSON file."""
    content = read_json(file)
    if content.keys() & set(names):
        kept = {name: value for name, value in content.items() if name not in names}
        file.write_text(json.dumps(kept), encoding="utf-8")
