"""Height and width of a picture or film, for files that state positions by shares or no size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from PIL import Image

from vis.errors import DataError
from vis.ops.pictures import FAULTS, FORMATS, upright_size

if TYPE_CHECKING:
    from pathlib import Path


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as people see it; reads the header alone.

    Raises:
        DataError: it is not there or no picture.
    """
    try:
        with Image.open(path, formats=FORMATS) as picture:
            width, height = upright_size(picture)
            return height, width
    except FAULTS as error:
        raise DataError(
            f"the picture cannot be read ({type(error).__name__})",
            where=str(path),
            remedy="Fetch it again.",
        ) from None


def film_info(path: Path) -> tuple[int, int, int]:
    """(height, width) of a film as people see it, and its frames by its header, 0 if it is silent.

    Decodes the first frame.

    Raises:
        DataError: it is not there or no film.
    """
    try:
        with av.open(f"file:{path}", metadata_errors="replace") as container:
            frame = next(container.decode(video=0))
            count = container.streams.video[0].frames
            if frame.rotation % 180 == 0:
                return frame.height, frame.width, count
            return frame.width, frame.height, count
    except (av.FFmpegError, StopIteration, IndexError, OSError):
        raise DataError(
            "the film cannot be decoded", where=str(path), remedy="Fetch it again."
        ) from None


def size_unknown() -> DataError:
    """The fault of a record that states no size, and whose picture or film is nowhere."""
    return DataError(
        "its size is not in the file, and the picture or film was not found",
        remedy="Give their folder with --frames, and what stands before their names with "
        "--frames-prefix.",
    )
