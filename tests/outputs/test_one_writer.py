"""The command and a whole result write the same bytes of every format: both go through one sink."""

from pathlib import Path

import pytest

import vis
from tests.conftest import KINDS as FILMS
from tests.conftest import write_film
from tests.inference.knowing import Knowing, pictures
from vis.inference.options import TrackOptions
from vis.jobs.many import plan_jobs, track_all
from vis.outputs.result import Result
from vis.outputs.sinks import KINDS, output_names

SIZE = 96


def folder_of_pictures(folder: Path) -> Path:
    """Three objects, one of which leaves, hides and comes again."""
    video = folder / "the clip"
    pictures(video, 20)
    return video


def film(folder: Path) -> Path:
    path = folder / "film.mp4"
    write_film(path, FILMS["h264"], 14)
    return path


def film_of_variable_rate(folder: Path) -> Path:
    path = folder / "variable.mkv"
    write_film(path, FILMS["h264_variable"], 14)
    return path


CLIPS = {
    "pictures": (folder_of_pictures, TrackOptions(size=SIZE)),
    # every second frame, and a class that is left out
    "film": (film, TrackOptions(size=SIZE, every=2, classes=("cat", "person"))),
    "variable": (film_of_variable_rate, TrackOptions(size=SIZE, window=3, stride=2)),
}


@pytest.fixture(scope="module", params=CLIPS)
def both(request: pytest.FixtureRequest, tmp_path_factory) -> tuple[Path, Result]:
    """The folder of the command's outputs, and the result of the same video."""
    folder = tmp_path_factory.mktemp("clip")
    make, options = CLIPS[request.param]
    source, outputs = make(folder), folder / "out"
    [done] = track_all(plan_jobs([str(source)], outputs, KINDS), Knowing(6), options=options)
    assert done.error is None and done.sightings
    return outputs, vis.track(source, Knowing(6), options=options).collect()


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_same(both: tuple[Path, Result], kind: str, tmp_path: Path):
    outputs, result = both
    name = result.video_name.replace("_", " ")
    [expected] = output_names([kind], name, ".mp4").values()
    saved = tmp_path / expected
    result.save(saved, kind)
    assert contents(saved) == contents(outputs / expected)


def contents(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    files = [one for one in path.rglob("*") if one.is_file()]
    assert files
    return {str(one.relative_to(path)): one.read_bytes() for one in files}


def test_the_kind_is_that_of_the_ending(both: tuple[Path, Result], tmp_path: Path):
    _, result = both
    for kind, name in output_names([k for k in KINDS if k != "video"], "other", "").items():
        result.save(tmp_path / name)
        result.save(tmp_path / f"named {kind}", kind)
        assert contents(tmp_path / name) == contents(tmp_path / f"named {kind}")
