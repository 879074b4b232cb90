"""Run the notebooks of docs/notebooks, and keep what their cells print and draw: `make notebooks`.

Each runs in an empty folder of its own, with the cxpath that this Python imports.
"""

from __future__ import annotations

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "notebooks"
PATIENCE_S = 600
LARGEST_PNG_BYTES = 60_000


def main() -> None:
    """Run those that are named, or all."""
    for path in [Path(name) for name in sys.argv[1:]] or sorted(FOLDER.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(without_traces(run(notebook, Path(folder))), path)
        print(path)


def run(notebook: NotebookNode, folder: Path) -> NotebookNode:
    """Return the notebook with the outputs of its cells, run one after the other in a folder.

    Raises
    ------
    CellExecutionError
        When a cell fails.
    """
    client = NotebookClient(
        notebook,
        timeout=PATIENCE_S,
        kernel_name="python3",
        coalesce_streams=True,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    return notebook


def without_traces(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook without times, versions and paths of its machine, and with small pictures."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
            for output in cell.outputs:
                _shrink(output.get("data", {}))
    return notebook


def _shrink(data: dict[str, str]) -> None:
    """Turn a picture that is large as PNG, as those of tissue are, into JPEG."""
    content = base64.b64decode(data.get("image/png", ""))
    if len(content) > LARGEST_PNG_BYTES:
        stream = io.BytesIO()
        Image.open(io.BytesIO(content)).convert("RGB").save(stream, format="JPEG", quality=80)
        data["image/jpeg"] = base64.b64encode(stream.getvalue()).decode()
        del data["image/png"]


if __name__ == "__main__":
    main()
