"""`vis export`: a model as files that run without this package."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vis.cli.arguments import Command
from vis.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from vis.models import Model


def export(
    model: str,
    /,
    *,
    output: str,
    size: str | None = None,
    formats: list[str] | None = None,
    dynamic: bool = False,
) -> int:
    """Write a model's work on a frame, or on a clip, as ONNX and as a program of torch.

    The folder gets model.onnx, model.pt2 and card.json: names and shapes of input and outputs, the
    classes, how frames are brought to size. Frames are RGB in 0..1; normalising is inside. The file
    is compared with the model before it has its name; the largest difference is stated.
    docs/examples/track_onnx.py tracks a film with it, onnxruntime, numpy and PyAV alone.

    Args:
        model: A weight file, the name of one, or default for the model that ships.
        output: The new folder.
        size: Height x width of the frames in pixels, such as 360x640; without it, what the model
            squashes frames to, or its short side at 16 / 9.
        formats: Any of onnx and torch; without it, both.
        dynamic: Whether frames of other sizes are taken too, of multiples that the card states;
            the command says which models can.
    """
    from vis import weights
    from vis.export.export import export as write

    network = weights.load(model)
    height, width = _default(network, dynamic) if size is None else _size(size)
    done = write(
        network,
        output,
        size=(height, width),
        name=Path(model).stem,
        formats=_formats(formats),
        dynamic=dynamic,
    )
    sys.stdout.write(
        f"wrote {done.folder} ({network.name}, frames {network.frames} x {height} x {width}"
        f"{' and of other sizes' if dynamic else ''};"
        f" largest difference {done.difference:.1e})\n"
    )
    return EXIT_OK


def _default(model: Model[Any], dynamic: bool) -> tuple[int, int]:
    """Height and width of frames that the model is made for."""
    if model.input_size is not None:
        return model.input_size
    short = model.size or 360
    sides = (short, round(short * 16 / 9))
    if not dynamic:
        return sides
    from vis.export.step import ANY_SIZE

    # graphs of any size are made with whole patches
    multiple = ANY_SIZE.get(model.name, 1)
    return sides[0] // multiple * multiple, sides[1] // multiple * multiple


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal() and int(height) and int(width)):
        raise UsageError(f"size {text!r} is no height x width", remedy="Write it as 360x640.")
    return int(height), int(width)


def _formats(formats: list[str] | None) -> list[str]:
    for one in formats or ():
        if one not in ("onnx", "torch"):
            raise UsageError(f"no format {one!r}", remedy="Take any of onnx and torch.")
    return formats or ["onnx", "torch"]


COMMAND = Command(
    export,
    """
    vis export default -o exported
    vis export best.safetensors -o exported --size 480x854 --formats onnx
    vis export videomt.safetensors -o exported --dynamic
    """,
)
