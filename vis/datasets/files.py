"""The frames of one video entry, from pictures or from a real video file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from vis.errors import DataError, InputError
from vis.formats.paths import inside, video_file_of
from vis.ops.pictures import FAULTS, FORMATS, as_recorded
from vis.video import open_video

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from vis.formats.ytvis_records import VideoEntry


def read_frames(folder: Path, video: VideoEntry, indices: Sequence[int]) -> Tensor:
    """Frames `[T 3 H W]` uint8 RGB, channels last in memory; a frame that repeats is read once.

    The frames are the pictures that the entry names, below `folder`. Where their own folder is
    not there but a video file of its name is, as `clip.mp4` for `clip/00000.jpg`, they are the
    frames of that video: frame i is entry i. A picture that EXIF data turn is read upright, where
    its sides are then those of the entry.

    Raises:
        InputError: a file is missing.
        DataError: a file cannot be decoded, has another size than the entry states, or is reached
            through a link that leads out of `folder`.
    """
    # decoding is the slow part, and cyclic clips of short videos repeat frames
    unique = sorted(set(indices))
    film = video_file_of(folder, video)
    if film is None:
        frames = torch.stack([_picture(folder, video, index) for index in unique])
    else:
        frames = _from_film(film, video, unique)
    rows = {index: row for row, index in enumerate(unique)}
    if list(indices) != unique:
        frames = frames[[rows[index] for index in indices]]
    return frames.permute(0, 3, 1, 2)


def _picture(folder: Path, video: VideoEntry, index: int) -> Tensor:
    """`[H W 3]`."""
    path = inside(folder, video.file_names[index])
    where = f"{path} (frame {index} of video {video.id})"
    if not path.is_file():
        raise InputError("the frame is missing", where=where, remedy="Check the folder of frames.")
    try:
        with Image.open(path, formats=FORMATS) as picture:
            upright = as_recorded(picture, (video.width, video.height))
            _check_size((upright.height, upright.width), video, where)
            return torch.from_numpy(np.array(upright.convert("RGB")))
    except DataError:
        raise
    except UnidentifiedImageError:
        cause = f"it is none of {', '.join(FORMATS)}"
    except FAULTS as error:
        cause = str(error)
    raise DataError(
        f"the frame cannot be decoded ({cause})",
        where=where,
        remedy="Fetch the file again, or take its record out.",
    )


def _from_film(film: Path, video: VideoEntry, indices: Sequence[int]) -> Tensor:
    """`[T H W 3]`."""
    where = f"{film} (video {video.id})"
    with open_video(film) as reader:
        count = len(reader.times)
        if count != video.length:
            raise DataError(
                f"the video has {count} frames but its record says {video.length}",
                where=where,
                remedy="Correct the record, or fetch the video again.",
            )
        frames = reader.clip(indices)
    _check_size((frames.shape[1], frames.shape[2]), video, where)
    return torch.from_numpy(frames)


def _check_size(size: tuple[int, int], video: VideoEntry, where: str) -> None:
    height, width = size
    if size != (video.height, video.width):
        raise DataError(
            f"the frame is {height} x {width} (height x width) but its record says "
            f"{video.height} x {video.width}",
            where=where,
            remedy="Correct the record, or fetch the file again.",
        )
