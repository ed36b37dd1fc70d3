"""`vis export`: a model as files that run without this package."""

from __future__ import annotations

import sys
from pathlib import Path

from vis.cli.arguments import Command
from vis.errors import EXIT_OK, UsageError


def export(
    model: str,
    /,
    *,
    output: str,
    size: str | None = None,
    formats: list[str] | None = None,
) -> int:
    """Write a model's work on a frame, or on a clip, as ONNX and as a program of torch.

    The folder gets model.onnx, model.pt2 and card.json: names and shapes of input and outputs, the
    classes, how frames are brought to size. Frames are RGB in 0..1; normalising is inside. The file
    is compared with the model before it has its name; the largest difference is stated.
    docs/examples/track_onnx.py tracks a film with it, onnxruntime, numpy and PyAV alone.

    Args:
        model: A weight file, the name of one, or default for the model that ships.
        output: The new folder.
        size: Height x width of the frames in pixels, such as 360x640; without it, the model's short
            side at 16 / 9.
        formats: Any of onnx and torch; without it, both.
    """
    from vis import weights
    from vis.export.export import export as write

    network = weights.load(model)
    height, width = _size(size, network.size or 360)
    done = write(
        network, output, size=(height, width), name=Path(model).stem, formats=_formats(formats)
    )
    sys.stdout.write(
        f"wrote {done.folder} ({network.name}, frames {network.frames} x {height} x {width};"
        f" largest difference {done.difference:.1e})\n"
    )
    return EXIT_OK


def _size(text: str | None, short: int) -> tuple[int, int]:
    if text is None:
        return short, round(short * 16 / 9)
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
    """,
)
