"""Where the weights of a name lie: in the package, or in the folder of what was fetched."""

from __future__ import annotations

from pathlib import Path

from vis.errors import InputError
from vis.weights.catalogue import DEFAULT, entries, shipped_file
from vis.weights.fetch import weights_folder


def located(source: str | Path) -> Path:
    """The file of weights: a path as it is, else the one of this name.

    Args:
        source: a path, the name of a file in `weights_folder()` without `.safetensors`, or
            `default` for the model that ships.

    Raises:
        InputError: there is no file of the name; says how to get it, or which there are.
    """
    path = Path(source)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    if source == DEFAULT and shipped_file().is_file():
        return shipped_file()
    file = weights_folder() / f"{source}.safetensors"
    if file.exists():
        return file
    what = f"there is no file {str(source)!r}, nor weights of this name in {weights_folder()}"
    if source in {entry.name for entry in entries()}:
        raise InputError(what, remedy=f"Fetch them: vis weights get {source}")
    there = sorted(p.stem for p in weights_folder().glob("*.safetensors"))
    remedy = f"There are: {', '.join(there)}." if there else "Give the path of a file."
    raise InputError(what, remedy=remedy)
