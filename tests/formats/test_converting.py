"""Conversions there and back: what both can say is kept, and all else is listed."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vis.errors import DataError, OutputExistsError
from vis.formats.converting import convert, write_set
from vis.formats.lossy_fields import lossy_fields
from vis.formats.ytvis import read_annotations, write_annotations
from vis.ops import rle

FORMATS = ["ytvis", "coco", "davis", "mots"]


def place(folder, to):
    return folder / (f"{to}.json" if to in ("ytvis", "coco") else to)


def looks(found, names=True):
    """What every format can say: the pixels of each object of each video, by file name."""
    return {
        video.file_names: sorted(
            (
                found.categories[track.label].name if names else "",
                sorted((frame, mask.counts) for frame, mask in track.masks.items()),
            )
            for track in found.tracks[video.id]
        )
        for video in found.videos.values()
    }


@pytest.fixture
def apart(write, truth):
    """A sound set in which no two objects share a pixel."""
    del truth["annotations"][0]["bboxes"], truth["annotations"][0]["areas"]
    return write(truth)


@pytest.mark.parametrize("first", FORMATS)
@pytest.mark.parametrize("second", FORMATS)
def test_there_and_on_and_back_the_pixels_are_the_same(apart, tmp_path, first, second):
    stated = looks(read_annotations(apart), names=False)
    convert(apart, place(tmp_path, first), to=first)
    (tmp_path / "back").mkdir()
    convert(place(tmp_path, first), place(tmp_path / "back", second), to=second)
    back = convert(place(tmp_path / "back", second), tmp_path / "back.json", to="ytvis")
    assert looks(back.written, names=False) == stated
    assert back.lossy_fields == []


def test_formats_that_say_all_lose_nothing(apart, tmp_path):
    for to in ("ytvis", "coco"):
        conversion = convert(apart, place(tmp_path, to), to=to)
        assert conversion.lossy_fields == []
        assert conversion.written == conversion.source.annotations


def test_mots_keeps_categories_and_davis_says_what_it_loses(apart, tmp_path):
    kept = convert(apart, tmp_path / "mots", to="mots")
    assert looks(kept.written) == looks(kept.source.annotations)
    assert kept.lossy_fields[0] == "the ids of 2 categories: cat, dog"
    lost = convert(apart, tmp_path / "davis", to="davis").lossy_fields
    assert lost[0] == "the names of 2 categories: cat, dog"
    assert lost[1] == "the ids of 2 videos: b, a"
    assert "the ids of 2 objects in b, a" in lost
    assert "the categories of 2 objects in b, a" in lost
    assert len(lost) == 4


def test_objects_under_others_crowds_and_empty_masks_are_listed(apart, tmp_path):
    found = read_annotations(apart)
    whole = {0: rle.encode(np.ones((6, 8), bool)), 1: rle.encode(np.zeros((6, 8), bool))}
    crowd = replace(found.tracks[3][0], id=90, masks=whole, crowd=True)
    found = replace(found, tracks={**found.tracks, 3: [*found.tracks[3], crowd]})
    written = write_set(tmp_path / "davis", found, to="davis")
    lost = lossy_fields(found, written)
    assert "some masks of 1 objects, as where others lie over them, in b" in lost
    assert "masks without a pixel, of 1 objects in b" in lost
    assert not any("crowds" in line for line in lost)
    ten = {key: replace(found.categories[9], id=key, name=f"c{key}") for key in range(1, 11)}
    found = replace(found, categories={**ten, **found.categories})
    lost = lossy_fields(found, write_set(tmp_path / "mots", found, to="mots"))
    assert "that 1 objects are crowds in b" in lost


def test_keys_that_we_do_not_know_are_listed(truth, write, tmp_path):
    truth["info"] = {"year": 2026}
    truth["videos"][0]["licence"] = 1
    truth["categories"][0]["colour"] = "red"
    truth["annotations"][1]["note"] = "x"
    lost = convert(write(truth), tmp_path / "davis", to="davis").lossy_fields
    assert "1 entries of the file with the keys info" in lost
    assert "1 entries of categories with the keys colour" in lost
    assert "1 entries of videos with the keys licence" in lost
    assert "2 entries of objects with the keys areas, note" in lost


def test_videos_and_changed_fields_are_noticed(apart):
    found = read_annotations(apart)
    video = found.videos[3]
    other = replace(video, name="other", width=9, length=1)
    lost = lossy_fields(found, replace(found, videos={3: other}))
    assert lost[:4] == [
        "1 videos: a",
        "the names of 1 videos: b",
        "the sizes of 1 videos: b",
        "the lengths of 1 videos: b",
    ]


def test_nothing_is_replaced_unless_told_and_a_fault_writes_nothing(apart, tmp_path):
    out = tmp_path / "out.json"
    convert(apart, out, to="ytvis")
    with pytest.raises(OutputExistsError):
        convert(apart, out, to="coco")
    convert(apart, out, to="coco", overwrite=True)
    convert(apart, tmp_path / "davis", to="davis")
    with pytest.raises(OutputExistsError):
        convert(apart, tmp_path / "davis", to="davis", overwrite=True)
    value = json.loads(apart.read_text())
    value["annotations"][0]["category_id"] = 77
    apart.write_text(json.dumps(value))
    with pytest.raises(DataError, match="category_id 77"):
        convert(apart, tmp_path / "new.json", to="coco")
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize("to", FORMATS)
def test_real_sets_come_back_with_every_pixel(shared, tmp_path, to):
    source = shared / "data" / "pack_test" / "vis_tiny"
    stated = read_annotations(source / "instances.json")
    convert(source, place(tmp_path, to), to=to)
    back = convert(place(tmp_path, to), tmp_path / "back.json", to="ytvis")
    assert back.lossy_fields == []
    assert looks(back.written, names=to != "davis") == looks(stated, names=to != "davis")


def test_what_is_converted_is_what_was_read(apart, tmp_path):
    conversion = convert(apart, tmp_path / "x.json", to="ytvis")
    write_annotations(tmp_path / "y.json", conversion.source.annotations)
    assert (tmp_path / "x.json").read_bytes() == (tmp_path / "y.json").read_bytes()
