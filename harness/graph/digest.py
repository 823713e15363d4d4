"""The short hash that names nodes and contracts."""

import hashlib
import json
from typing import Any


def digest(value: Any) -> str:
    """Hash plain data, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
