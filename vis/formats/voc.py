"""Pascal VOC: pictures, and PNG pictures whose pixels are numbers of objects and of classes.

`SegmentationObject` has the number of the object in its picture, `SegmentationClass` that of its
class; 0 is background, 255 a region that nobody judged. Pictures may have the colours of VOC's map
in their stead. What the classes are called, and their colours where they are the user's own, is in
`class_names.txt` or `labelmap.txt`, else in the XML files of the objects, else they are VOC's.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vis.errors import DataError, VisError
from vis.formats.gathering import Gathering, Opened
from vis.formats.index_pictures import EIGHT_BITS, Numbers, layers, read_numbers, voc_colours
from vis.formats.json_file import read_regular
from vis.formats.paths import inside, pictures
from vis.formats.xml_file import read_xml
from vis.ops.rle import decode

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from vis.formats.index_pictures import Colour
    from vis.formats.reading import Reading

UNJUDGED = 255
_VOID, _BLACK = (224, 224, 192), (0, 0, 0)
"""VOC's colours of what nobody judged and of the background."""
_OBJECTS, _CLASSES = "SegmentationObject", "SegmentationClass"
_NAMES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
"""Classes 1 to 20 of VOC2012."""
_LARGEST_XML = 2**24
"""Bytes of the file of one picture."""


def voc_place(path: Path) -> Path | None:
    """A folder with both kinds of PNG pictures, or a list of its `ImageSets`; None of another."""
    if path.is_dir():
        return path if _is_root(path) else None
    is_list = path.suffix.lower() == ".txt" and path.parent.parent.name == "ImageSets"
    return path if is_list and _is_root(path.parent.parent.parent) else None


def read_voc(path: Path, frames: Path | None, reading: Reading) -> Opened:
    """The pictures of a folder that have both PNG pictures, or those of a list.

    Regions that nobody judged are one crowd in each picture.

    Args:
        path: as `voc_place` gives it.
        frames: the folder of the pictures; None: `JPEGImages`.
        reading: what becomes of faults.

    Raises:
        InputError: a folder or list cannot be read.
        DataError: a picture is faulty or missing and `reading` does not collect it.
    """
    root = path if path.is_dir() else path.parent.parent.parent
    folder = frames or root / "JPEGImages"
    object_files = pictures(root / _OBJECTS, {".png"})
    stems = list(object_files) if path.is_dir() else [line.split()[0] for line in _lines(path)]
    photos = pictures(folder) if folder.is_dir() else {}
    stated, colours = _stated_names(root)
    read: dict[str, tuple[Numbers, dict[int, int]]] = {}
    for stem in stems:
        try:
            read[stem] = _read_pair(root, stem, colours)
        except VisError as error:
            reading.collect(error, f"{stem}.png")
    classes = {number for _, of_object in read.values() for number in of_object.values()}
    of_objects = {stem: of_object for stem, (_, of_object) in read.items()}
    names = _checked(stated or _usual_names(root, of_objects), classes, root)
    result = Gathering([names[number] for number in sorted(names)])
    first = names[min(names)]
    for stem, (numbers, of_object) in read.items():
        name = photos[stem].name if stem in photos else f"{stem}.jpg"
        height, width = numbers.shape
        video = result.add_video(stem, (height, width), [name])
        for number, mask in layers(numbers).items():
            crowd = number == UNJUDGED
            label = first if crowd else names[of_object[number]]
            result.add_object(video, label, {0: mask}, crowd=crowd)
    return Opened(result.annotation_set(), folder if photos else None)


def _is_root(folder: Path) -> bool:
    return (folder / _OBJECTS).is_dir() and (folder / _CLASSES).is_dir()


def _read_pair(
    root: Path, stem: str, colours: Mapping[Colour, int]
) -> tuple[Numbers, dict[int, int]]:
    """Numbers of the objects of a picture, and the class of each."""
    numbers = _read(root / _OBJECTS, stem, voc_colours())
    classes = _read(root / _CLASSES, stem, colours)
    if numbers.shape != classes.shape:
        raise DataError(
            f"its two PNG pictures are of different size: {numbers.shape} and {classes.shape}",
            remedy="Make them anew.",
        )
    of_object = {}
    for number, mask in layers(numbers).items():
        counts = np.bincount(classes[decode(mask)].ravel(), minlength=UNJUDGED + 1)
        # the class of most of its pixels: edges may differ by a pixel
        judged = counts[1:UNJUDGED]
        if number != UNJUDGED and not judged.any():
            raise DataError(f"object {number} has no class", remedy=f"Correct {_CLASSES}.")
        of_object[number] = int(judged.argmax()) + 1
    return numbers, {number: label for number, label in of_object.items() if number != UNJUDGED}


def _read(folder: Path, stem: str, colours: Mapping[Colour, int]) -> Numbers:
    try:
        return read_numbers(inside(folder, f"{stem}.png"), EIGHT_BITS, colours)
    except VisError as error:
        raise error.at(folder.name) from None


def _stated_names(root: Path) -> tuple[dict[int, str], dict[Colour, int]]:
    """Number of each class -> its name, none where no file says it; colour -> number."""
    if (root / "class_names.txt").is_file():
        lines = [line for line in _lines(root / "class_names.txt") if line != "__ignore__"]
        # the first is of the background
        return dict(enumerate(lines[1:], 1)), voc_colours()
    if not (root / "labelmap.txt").is_file():
        return {}, voc_colours()
    lines = [line for line in _lines(root / "labelmap.txt") if not line.startswith("#")]
    stated = [(name, _colour(more)) for name, _, more in (line.partition(":") for line in lines)]
    # CVAT sorts by name: the background may be anywhere
    background = [one for one in stated if one[0] == "background" or one[1] == _BLACK]
    if not background and not any(colour for _, colour in stated):
        background = stated[:1]
    own = [one for one in stated if one not in background and one[1] != _VOID]
    names = {number: name for number, (name, _) in enumerate(own, 1)}
    if not any(colour for _, colour in own):
        return names, voc_colours()
    # a colour of several classes says nothing
    uses = Counter(colour for _, colour in own)
    colours = {_VOID: UNJUDGED}
    colours |= {one[1]: n for n, one in enumerate(own, 1) if one[1] and uses[one[1]] == 1}
    return names, colours | {_BLACK: 0} | {colour: 0 for _, colour in background if colour}


def _colour(text: str) -> Colour | None:
    """`250,50,83` before a colon."""
    parts = [part.strip() for part in text.partition(":")[0].split(",")]
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return None
    return int(parts[0]), int(parts[1]), int(parts[2])


def _usual_names(root: Path, of_object: Mapping[str, Mapping[int, int]]) -> dict[int, str]:
    names = dict(enumerate(_NAMES, 1))
    is_there = (root / "Annotations").is_dir()
    return names | (_names_in_xml(root / "Annotations", of_object) if is_there else {})


def _checked(names: dict[int, str], classes: set[int], root: Path) -> dict[int, str]:
    unknown = sorted(classes - names.keys())
    if unknown:
        raise DataError(
            f"class {unknown[0]} has no name",
            where=str(root),
            remedy="Name the background and classes 1, 2, ... in class_names.txt, one a line.",
        )
    return names


def _names_in_xml(folder: Path, of_object: Mapping[str, Mapping[int, int]]) -> dict[int, str]:
    """The n-th object of a picture's XML is its object n."""
    names: dict[int, str] = {}
    for stem, labels in of_object.items():
        file = folder / f"{stem}.xml"
        if set(labels.values()) <= names.keys() or not file.is_file():
            continue
        stated = [
            one.findtext("name", "")
            for one in read_xml(file, largest=_LARGEST_XML)
            if one.tag == "object"
        ]
        for number, label in labels.items():
            if number <= len(stated) and stated[number - 1]:
                names.setdefault(label, stated[number - 1])
    return names


def _lines(path: Path) -> list[str]:
    text = read_regular(path, 2**24, "a text file").decode("utf-8-sig", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()]
