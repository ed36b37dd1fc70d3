"""Where the weights of a name lie: in the package, the folder of what was fetched, or the hub."""

from __future__ import annotations

from pathlib import Path

from vis.errors import InputError
from vis.weights.catalogue import DEFAULT, entries, shipped_file
from vis.weights.fetch import weights_folder
from vis.weights.hub import Fetched, fetched_from
from vis.weights.hub_id import is_hub_id


def located(source: str | Path) -> Fetched:
    """The file or folder of weights: a path as it is, one of the hub, else the one of this name.

    Args:
        source: a path, `hf:OWNER/NAME` of the hub, the name of a file in `weights_folder()`
            without `.safetensors`, or `default` for the model that ships.

    Raises:
        InputError: there is no file of the name; says how to get it, or which there are.
        UsageError, DataError, OutputError: as `fetched_from`.
    """
    path = Path(source)
    if is_hub_id(source):
        return fetched_from(source)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return Fetched(path)
    if source == DEFAULT and shipped_file().is_file():
        return Fetched(shipped_file())
    file = weights_folder() / f"{source}.safetensors"
    if file.exists():
        return Fetched(file)
    what = f"there is no file {str(source)!r}, nor weights of this name in {weights_folder()}"
    if source in {entry.name for entry in entries()}:
        raise InputError(what, remedy=f"Fetch them: vis weights get {source}")
    there = sorted(p.stem for p in weights_folder().glob("*.safetensors"))
    remedy = f"There are: {', '.join(there)}." if there else "Give the path of a file."
    raise InputError(what, remedy=remedy)
