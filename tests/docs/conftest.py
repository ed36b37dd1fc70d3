"""The desk of a reader of the documentation: a film, two clips, a small data set, the sample."""

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
from PIL import Image

from vis.video import VideoWriter, open_video

SAMPLE = Path(__file__).parents[2] / "data/sample"
LENGTH = 12
"""Frames of each film: few, as every page follows objects through one."""
STARTS = {"beach": 0, "garden": 40, "park": 80}
"""Name of each video of the data set -> its first frame in the sample."""


@pytest.fixture(scope="session")
def _full_desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = tmp_path_factory.mktemp("desk")
    _write_film(desk / "holiday.mp4", 0)
    shutil.copytree(SAMPLE, desk / "data/sample")
    (desk / "clips").mkdir()
    for name in ("beach", "park"):
        _write_film(desk / f"clips/{name}.mp4", STARTS[name])
    for name, start in STARTS.items():
        _write_pictures(desk / "mine/JPEGImages" / name, start)
    annotations = _annotations()
    _write_json(desk / "mine/instances.json", annotations)
    shutil.copytree(desk / "mine/JPEGImages", desk / "split/JPEGImages")
    _write_json(desk / "split/valid.json", annotations | {"annotations": None})
    return desk


@pytest.fixture
def desk(_full_desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own for a page, with all that the pages speak of; the current one."""
    folder = tmp_path / "desk"
    shutil.copytree(_full_desk, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("VIS_HOME", str(tmp_path / "home"))
    return folder


def _write_film(path: Path, start: int) -> None:
    with (
        open_video(SAMPLE / "clip.mp4") as reader,
        VideoWriter(path, info=reader.info) as writer,
    ):
        for frame in islice(reader, start, start + LENGTH):
            writer.write(frame)


def _write_pictures(folder: Path, start: int) -> None:
    folder.mkdir(parents=True)
    with open_video(SAMPLE / "clip.mp4") as reader:
        for place, frame in enumerate(islice(reader, start, start + LENGTH)):
            Image.fromarray(frame.pixels).save(folder / f"{place:05}.jpg")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def _annotations() -> dict[str, object]:
    """The truth of the sample, cut into the videos of the data set."""
    truth = json.loads((SAMPLE / "instances.json").read_text())
    (whole,) = truth["videos"]
    videos, annotations = [], []
    for number, (name, start) in enumerate(STARTS.items(), 1):
        frames = slice(start, start + LENGTH)
        pictures = [f"{name}/{place:05}.jpg" for place in range(LENGTH)]
        own = {"id": number, "name": name, "length": LENGTH, "file_names": pictures}
        videos.append(whole | own)
        for one in truth["annotations"]:
            lists = {key: one[key][frames] for key in ("segmentations", "bboxes", "areas")}
            if any(lists["segmentations"]):
                place = {"id": len(annotations) + 1, "video_id": number, "length": LENGTH}
                annotations.append(one | lists | place)
    return {"categories": truth["categories"], "videos": videos, "annotations": annotations}
