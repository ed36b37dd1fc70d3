"""Every format that is written, there and back: what it cannot say is listed, all else is the same.

The set has a mask with a hole, one in two parts, one of a pixel, names in several scripts, an
object that is away for a frame and one that no frame shows, a frame that nobody annotated at the
end, and a video without any object.
"""

import json
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from vis.formats.converting import convert
from vis.formats.opening import Kind, open_set
from vis.ops import rle

HEIGHT, WIDTH = 12, 16
UNSEEN = "1 objects that no frame shows in größe ü"
IN_PART = "which frames of 1 videos are annotated: größe ü"
LOST = {
    "ytvis": [],
    "coco": [UNSEEN],
    "davis": [
        "the names of 3 categories: Kätzchen, traffic light, 猫",
        UNSEEN,
        "the categories of 3 objects in größe ü",
    ],
    "mots": [IN_PART, UNSEEN],
    "cvat": [IN_PART, UNSEEN],
    # pictures without a JSON are not listed, and without an object nothing says that two are frames
    "labelme": [
        "the names of 1 videos: leer",
        "the file names of 2 videos: größe ü, leer",
        "the lengths of 2 videos: größe ü, leer",
        IN_PART,
        UNSEEN,
    ],
}
PICTURES_ALONE = {"yolo"}
NAMELESS = {"davis"}


def code(*parts, hole=()):
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    for top, bottom, left, right in parts:
        mask[top:bottom, left:right] = True
    for top, bottom, left, right in hole:
        mask[top:bottom, left:right] = False
    return rle.to_coco(rle.encode(mask))


@pytest.fixture
def source(tmp_path):
    ring, two = code((1, 9, 0, 8), hole=[(3, 6, 2, 6)]), code((0, 3, 0, 3), (8, 11, 2, 7))
    small, dot = code((4, 6, 10, 15)), code((0, 1, 15, 16))
    size = {"width": WIDTH, "height": HEIGHT}
    names = [f"größe ü/{frame:05d}.jpg" for frame in range(4)]
    masks = [(1, [ring, ring, two, None]), (2, [small, None, small, None])]
    masks += [(3, [None, dot, None, None]), (3, [None] * 4)]
    value = {
        "categories": [
            {"id": id_, "name": name}
            for id_, name in enumerate(("Kätzchen", "traffic light", "猫"), 1)
        ],
        "videos": [
            {"id": 1, "length": 4, "file_names": names, "annotated_frames": [0, 1, 2], **size},
            {"id": 2, "length": 2, "file_names": ["leer/0.jpg", "leer/1.jpg"], **size},
        ],
        "annotations": [
            {"id": id_, "video_id": 1, "category_id": label, "segmentations": segmentations}
            for id_, (label, segmentations) in enumerate(masks, 1)
        ],
    }
    for name in [*names, "leer/0.jpg", "leer/1.jpg"]:
        path = tmp_path / "frames" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    path = tmp_path / "truth.json"
    path.write_text(json.dumps(value))
    return path


def looks(annotations, names=True):
    """What each annotated frame of the first video shows: names and pixels of its objects."""
    frames = {}
    for video in annotations.videos.values():
        for frame in video.truth_frames:
            frames[video.file_names[frame]] = sorted(
                (names and annotations.categories[track.label].name, track.masks[frame].counts)
                for track in annotations.tracks[video.id]
                if frame in track.masks
            )
    return {name: objects for name, objects in frames.items() if objects}


@pytest.mark.parametrize("to", get_args(Kind))
def test_there_and_back(source, tmp_path, to):
    frames = tmp_path / "frames"
    out = tmp_path / {"ytvis": "a.json", "coco": "a.json", "cvat": "a.xml"}.get(to, "a")
    conversion = convert(source, out, to=to, frames=frames)
    stated = conversion.source.annotations
    assert looks(conversion.written, to not in NAMELESS) == looks(stated, to not in NAMELESS)
    assert len(looks(stated)) == 3
    opened = open_set(out, frames)
    assert (opened.kind, opened.annotations) == (to, conversion.written)
    if to in PICTURES_ALONE:
        assert "the identities of 2 objects, which several frames show, in größe ü" in (
            conversion.lossy_fields
        )
        return
    assert conversion.lossy_fields == LOST[to]
    back = convert(out, tmp_path / "back.json", to="ytvis", frames=frames)
    assert back.lossy_fields == []
    tracks = [
        sorted(
            sorted((f, m.counts) for f, m in track.masks.items()) for track in tracks if track.masks
        )
        for tracks in (back.written.tracks[1], stated.tracks[1])
    ]
    # identities too, whatever their numbers
    assert tracks[0] == tracks[1]


@pytest.mark.parametrize("to", get_args(Kind))
def test_folders_that_several_videos_share(source, tmp_path, to):
    """Two films flat in one folder, two pictures in another, and a picture two folders deep."""
    value = json.loads(source.read_text())
    size = {"width": WIDTH, "height": HEIGHT}
    files = [[f"flat/{name}{n}.jpg" for n in range(2)] for name in "ab"]
    files += [["ä/x y.jpg"], ["ä/z.jpg"], ["deep/er/c.jpg"]]
    value["videos"] = [
        {"id": id_, "length": len(names), "file_names": names, **size}
        for id_, names in enumerate(files, 1)
    ]
    value["annotations"] = [
        {
            "id": id_,
            "video_id": id_,
            "category_id": 1,
            "segmentations": [code((0, 3, 0, id_))] * len(n),
        }
        for id_, n in enumerate(files, 1)
    ]
    for name in (name for names in files for name in names):
        (tmp_path / "frames" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "frames" / name)
    source.write_text(json.dumps(value))
    out = tmp_path / {"ytvis": "a.json", "coco": "a.json", "cvat": "a.xml"}.get(to, "a")
    conversion = convert(source, out, to=to, frames=tmp_path / "frames")
    stated, written = looks(conversion.source.annotations), looks(conversion.written)
    if to in ("ytvis", "coco", "labelme", "yolo"):
        assert written == stated
    # the others name videos by folders: none takes another's frames
    objects = [[masks for _, masks in one] for one in written.values()]
    assert sorted(objects) == sorted([masks for _, masks in one] for one in stated.values())
    assert not any("some masks" in line for line in conversion.lossy_fields) or to == "yolo"
