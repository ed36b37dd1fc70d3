"""`vis data`: check data sets, convert them, split them, look at them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from vis.cli.arguments import Command, Group
from vis.cli.console import say, say_faults
from vis.cli.data_options import FrameOptions  # noqa: TC001  its fields become options
from vis.errors import EXIT_DAMAGED, EXIT_OK, UsageError

if TYPE_CHECKING:
    from vis.formats.checking import Check
    from vis.formats.prefixes import Frames
    from vis.formats.ytvis_records import AnnotationSet


def check(
    paths: list[str],
    /,
    *,
    frame_options: FrameOptions,
    decode: bool = False,
    fix: str | None = None,
) -> int:
    """Read data sets whole, list everything that is wrong, and count what they hold.

    A data set is a JSON file in the layout of YouTube-VIS, COCO, SA-V, BURST or VIPSeg or a folder
    with one, a DAVIS, MOTS or Pascal VOC folder, or what CVAT (XML), labelme, Label Studio, VIA
    (JSON) or YOLO (data.yaml, or a folder of pictures beside labels) write. Each record is read and
    each picture is looked at: it must be there, inside its folder, readable, and of the size that
    its record states. Faults with the same remedy stand together. The exit code is 1 if anything is
    wrong.

    With --fix, a corrected copy of a JSON file is written, and the exit code is that of the copy.
    Boxes, areas and sizes that contradict the masks, and boxes that are two corners, are made anew
    from the masks; a size that is missing is read from the picture; an annotation without an id, or
    whose id is taken, gets a new one; the name of a category becomes its id; file names get forward
    slashes; numbers written as text become numbers; polygons become one list each and lose parts of
    less than three points; records that are faulty otherwise, that name no sound record, or whose
    object no frame shows, are left out. Each change is listed. Pictures stay as they are.

    Args:
        paths: Annotation files or folders.
        frame_options: Where the frames are.
        decode: Decode every picture whole instead of reading its header alone; slower.
        fix: The corrected copy to write; it must not be there.
    """
    if fix is not None and len(paths) > 1:
        raise UsageError("--fix takes one data set", remedy="Mend them one after the other.")
    place = frame_options.place()
    results = [_check(path, place, decode) for path in paths]
    if fix is not None:
        results = [_mended(results[0], paths[0], fix, place, decode)]
    return EXIT_DAMAGED if any(result.faults for result in results) else EXIT_OK


def convert(
    source: str,
    destination: str,
    /,
    *,
    to: Literal["ytvis", "coco", "davis", "mots", "cvat", "labelme", "yolo"],
    frame_options: FrameOptions,
    overwrite: bool = False,
) -> int:
    """Convert a data set into another format and list what that format cannot say.

    The new one is read again and compared with the old one, so the list is complete. Pictures are
    neither copied nor changed. Polygons become masks. DAVIS has no categories; in DAVIS and MOTS
    one pixel belongs to one object: the one of the higher score, else the earlier one. Frames of
    videos become COCO pictures that name their video, as CocoVID has them, and come back as videos.
    In YOLO's texts every frame is a picture of its own: identities and crowds are lost.

    Args:
        source: An annotation file or a folder.
        destination: The new file (ytvis, coco, cvat), or the new folder (davis, mots, labelme,
            yolo).
        to: The format.
        frame_options: Where the frames are.
        overwrite: Replace the destination if it is a file; a folder is never replaced.
    """
    from vis.formats.converting import convert as convert_set

    place = frame_options.place()
    done = convert_set(source, destination, to=to, frames=place, overwrite=overwrite)
    for note in done.source.notes:
        say(f"note: {note}")
    for line in done.lossy_fields:
        say(f"lost: {line}")
    counts = f"{len(done.written.videos)} videos, {_objects(done.written)} objects"
    say(f"wrote {destination} ({to}): {counts}")
    if done.source.frames is not None:
        say(f"the pictures are where they were: {done.source.frames}")
    return EXIT_OK


def split(
    source: str,
    destination: str,
    /,
    *,
    parts: list[str],
    seed: int = 0,
    frame_options: FrameOptions,
    overwrite: bool = False,
) -> int:
    """Divide a data set by video into parts in which every category has its share.

    The same data set, parts and seed always give the same videos, in whatever order they are
    listed. Each part is a file in the folder: as COCO where the source is, else as YouTube-VIS.
    Pictures are neither copied nor changed.

    Args:
        source: An annotation file or a folder.
        destination: The folder for the new files; it is made if it is not there.
        parts: Names and shares that are 1 together, as train=0.8 val=0.2.
        seed: Another number gives other parts.
        frame_options: Where the frames are.
        overwrite: Replace files that are there.
    """
    from vis.formats.splitting import write_parts

    place = frame_options.place()
    files, pictures = write_parts(
        source, destination, _shares(parts), seed=seed, frames=place, overwrite=overwrite
    )
    for path, part in files:
        used = {track.label for tracks in part.tracks.values() for track in tracks}
        counts = f"{len(part.videos)} videos, {_objects(part)} objects, {len(used)} categories"
        say(f"wrote {path}: {counts}")
    if pictures is not None:
        say(f"the pictures are where they were: {pictures}; give it with --frames")
    return EXIT_OK


def show(
    source: str,
    /,
    *,
    output: str,
    entries: list[str] | None = None,
    videos: int = 8,
    columns: int = 6,
    width: int = 320,
    frame_options: FrameOptions,
    overwrite: bool = False,
) -> int:
    """Draw a contact sheet of a data set: frames with masks, names and identities.

    A row is a video, its frames evenly spaced from the first to the last; single pictures lie side
    by side. A mask has the same colour in all frames of its object.

    Args:
        source: An annotation file or a folder.
        output: The PNG file to write.
        entries: Names or ids of the videos to show.
        videos: How many are taken, evenly from the whole, where none is named.
        columns: Frames in a row.
        width: Longer side of a frame in pixels.
        frame_options: Where the frames are.
        overwrite: Replace the output if it is there.
    """
    from vis.cli.contact_sheet import write_sheet
    from vis.formats.opening import open_set

    count = write_sheet(
        output,
        open_set(source, frame_options.place(), needs_truth=False),
        entries=entries or (),
        most=videos,
        columns=columns,
        width=width,
        overwrite=overwrite,
    )
    say(f"wrote {output}: {count} videos")
    return EXIT_OK


def _shares(parts: list[str]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for part in parts:
        name, _, share = part.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            name = ""
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(f"{part!r} is no part", remedy="Write a name and a share: val=0.2")
    if len(shares) < len(parts):
        raise UsageError("a part is named twice", remedy="Name each part once")
    return shares


def _check(path: str, frames: Frames, decode: bool) -> Check:
    from vis.cli.statistics_table import say_statistics
    from vis.formats.checking import check as check_set
    from vis.formats.statistics import statistics_of

    result = check_set(path, frames, read_video_file=_film, decode=decode)
    say_faults(result.faults)
    for warning in result.warnings:
        say(f"note: {warning}")
    kind = "no data set" if result.dataset is None else result.dataset.kind
    if result.dataset is not None:
        say_statistics(statistics_of(result.dataset.annotations), result.dataset.has_truth)
    count = len(result.faults)
    verdict = f"{count} fault{'s' * (count > 1)}" if count else "nothing is wrong"
    say(f"{path} ({kind}): {verdict}")
    return result


def _mended(result: Check, path: str, fix: str, frames: Frames, decode: bool) -> Check:
    """The check of a corrected copy, whose pictures are those of the original."""
    from vis.formats.folders import annotation_file, frames_folder_of
    from vis.formats.opening import open_set
    from vis.formats.repair import repair

    say("")
    changes = repair(path, fix, frames)
    for change in changes:
        say(f"fixed: {change}")
    if not changes:
        nothing = "nothing could be" if result.faults else "there was nothing to be"
        say(f"fixed: {nothing} put right in the file; {fix} says the same")
    folder = frames.folder or (result.dataset.frames if result.dataset else None)
    if folder is None:
        # that of the records that are sound only now
        copy = open_set(fix, needs_truth=False)
        folder = frames_folder_of(annotation_file(Path(path)), copy.annotations)
    return _check(fix, replace(frames, folder=folder), decode)


def _objects(annotations: AnnotationSet) -> int:
    return sum(map(len, annotations.tracks.values()))


def _film(path: Path) -> tuple[int, int, int]:
    from vis.video import open_video

    with open_video(str(path)) as reader:
        return reader.info.width, reader.info.height, len(reader.times)


COMMAND = Group(
    "Check data sets, convert them, split them, look at them.",
    {
        "check": Command(
            check,
            """
            vis data check data/sample
            vis data check ytvis/train/instances.json
            vis data check annotations/instances_train2017.json --frames train2017 --decode
            vis data check mine/instances.json --fix mine/mended.json
            """,
        ),
        "convert": Command(
            convert,
            """
            vis data convert DAVIS davis.json --to ytvis
            vis data convert ytvis/train/instances.json mots --to mots
            vis data convert annotations/instances_val2017.json val.json --to ytvis
            """,
        ),
        "show": Command(
            show,
            """
            vis data show data/sample -o sample.png
            vis data show instances.json -o two.png --entries bear flamingo --columns 8
            """,
        ),
        "split": Command(
            split,
            """
            vis data split instances.json parts --parts train=0.8 val=0.2
            vis data split instances.json parts --parts train=0.7 val=0.15 test=0.15 --seed 1
            """,
        ),
    },
)
