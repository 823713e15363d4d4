"""docs/python.ipynb, executed: what its test compares with the outputs that are committed.

To write the outputs anew after a wanted change:

python -m tests.notebook
"""

import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parent.parent / "docs" / "python.ipynb"


def executed(folder: Path) -> Any:
    """Run every cell in a kernel whose working folder this is, and return the notebook."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    # what the kernel is and when a cell ran are of this machine
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(notebook, timeout=300, resources=resources, record_timing=False)
    return client.execute()


def outputs(notebook: Any) -> list[list[dict[str, Any]]]:
    """Return what each code cell shows: the kinds that people see, as text."""
    return [
        [_shown(output) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def _shown(output: Any) -> dict[str, Any]:
    data = output.get("data", {"text/plain": output.get("text", "")})
    return {"kind": output.output_type, **{kind: data[kind] for kind in sorted(data)}}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        made = executed(Path(scratch))
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(made, NOTEBOOK)
