"""From one format of data sets to another, with a list of what the other cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vis.errors import DataError
from vis.formats.coco import read_coco, write_coco
from vis.formats.cvat import read_cvat
from vis.formats.cvat_write import write_cvat
from vis.formats.davis import read_davis, write_davis
from vis.formats.labelme import read_labelme
from vis.formats.labelme_write import write_labelme
from vis.formats.lossy_fields import lossy_fields
from vis.formats.mots import read_mots, write_mots
from vis.formats.opening import DataSet, Kind, open_set
from vis.formats.reading import Reading
from vis.formats.yolo import read_yolo, write_yolo
from vis.formats.ytvis import read_annotations, write_annotations

if TYPE_CHECKING:
    from vis.formats.prefixes import AnyFrames
    from vis.formats.ytvis_records import AnnotationSet


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was converted."""

    source: DataSet
    written: AnnotationSet
    """As it is read again."""
    lossy_fields: list[str]
    """What the new one does not say, or says otherwise."""


def convert(
    path: str | Path,
    out: str | Path,
    *,
    to: Kind,
    frames: AnyFrames = None,
    overwrite: bool = False,
) -> Conversion:
    """Write a data set in another format, read it again, and compare.

    Pictures are neither copied nor changed.

    Args:
        path: a data set, as for `open_set`.
        out: a new file (ytvis, coco, cvat) or folder (davis, mots, labelme, yolo).
        to: the format.
        frames: the folder of the pictures, where it is not found by itself.
        overwrite: whether a file that is there may be replaced; a folder never is.

    Raises:
        InputError: there is no such data set.
        DataError: a record is faulty, or does not fit into the format.
        OutputExistsError: `out` is there.
        OutputError: it cannot be written.
    """
    source = open_set(path, frames)
    # compared with what is read, not with what was meant to be written
    written = write_set(out, source.annotations, to=to, frames=source.frames, overwrite=overwrite)
    return Conversion(
        source=source, written=written, lossy_fields=lossy_fields(source.annotations, written)
    )


def write_set(
    out: str | Path,
    annotation_set: AnnotationSet,
    *,
    to: Kind,
    frames: Path | None = None,
    overwrite: bool = False,
) -> AnnotationSet:
    """Write a data set in a format, and read it again.

    Args:
        out: the new file or folder.
        annotation_set: what to write.
        to: the format.
        frames: the folder of the pictures, which formats need that state no sizes or file names.
        overwrite: whether a file that is there may be replaced.

    Raises:
        DataError: it does not fit into the format.
        OutputExistsError: `out` is there.
        OutputError: it cannot be written.
    """
    if to == "ytvis":
        write_annotations(out, annotation_set, overwrite=overwrite)
        return read_annotations(out)
    if to == "coco":
        write_coco(out, annotation_set, overwrite=overwrite)
        return read_coco(out)
    if to == "cvat":
        write_cvat(out, annotation_set, overwrite=overwrite)
        return read_cvat(Path(out), frames, Reading(str(out))).annotations
    if to == "labelme":
        write_labelme(out, annotation_set)
        return read_labelme(Path(out), frames, Reading(str(out))).annotations
    if to == "yolo":
        _check_pictures(out, annotation_set, frames)
        write_yolo(out, annotation_set)
        return read_yolo(Path(out) / "data.yaml", frames, Reading(str(out))).annotations
    if to == "davis":
        write_davis(out, annotation_set)
        return read_davis(out, frames=frames)
    write_mots(out, annotation_set)
    return read_mots(out)


def _check_pictures(out: str | Path, annotation_set: AnnotationSet, frames: Path | None) -> None:
    """Refuse what could not be read again: YOLO's texts leave the sizes to the pictures."""
    for video in annotation_set.videos.values():
        if frames is None or not (frames / video.file_names[0]).is_file():
            raise DataError(
                f"YOLO's texts state no sizes, and {video.file_names[0]} was not found",
                where=str(out),
                done="Nothing was written.",
                remedy="Give the folder of the pictures with --frames; a film must be pictures.",
            )
