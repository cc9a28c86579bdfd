"""Runs a notebook in a kernel of its own, as a user who opens it and runs all cells."""

from __future__ import annotations

import json
import sys

import nbformat
from nbclient import NotebookClient


def main():
    """Print what the notebook's last cell has printed."""
    notebook = nbformat.read(sys.argv[1], as_version=4)
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    print(
        json.dumps(
            json.loads("".join(output["text"] for output in outputs if output.get("name") == "stdout"))
        )
    )


if __name__ == "__main__":
    main()
