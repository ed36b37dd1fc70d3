"""A visitor's video: limits, outputs, errors without our paths, cancelling."""

import threading
import zipfile
from pathlib import Path

import pytest

from tests.conftest import KINDS as FILMS
from tests.conftest import write_film
from tests.inference.knowing import Knowing
from vis.errors import UsageError, VisError
from vis.inference.options import TrackOptions
from vis.outputs.sinks import KINDS
from vis.web.results import KINDS as TITLES
from vis.web.results import progress, results
from vis.web.sessions import StoredFile
from vis.web.timeline import Lane, Span, edges, lanes, middle
from vis.web.work import Limits, StoppedError, Tracked, Watcher, check_video, track_upload

NAME = 'mum & "dad" <b>.mp4'


@pytest.fixture
def upload(tmp_path: Path) -> StoredFile:
    folder = tmp_path / "secret" / "uploads" / "one"
    folder.mkdir(parents=True)
    write_film(folder / "video.mp4", FILMS["h264"], 12)
    return StoredFile(folder / "video.mp4", NAME)


def go(upload: StoredFile, out: Path, kinds: tuple[str, ...] = (), **changes: object) -> Tracked:
    stop = threading.Event()
    usual = {
        "options": TrackOptions(size=96),
        "kinds": kinds,
        "device": "cpu",
        "limits": Limits(),
        "watcher": Watcher(stop),
    }
    return track_upload(upload, out, Knowing(6), **usual | changes)


def test_every_format_can_be_had_and_folders_are_zip_files(upload, tmp_path):
    assert set(TITLES) == set(KINDS)
    tracked = go(upload, tmp_path / "out", KINDS)
    assert set(tracked.outputs) == set(KINDS)
    assert all(path.is_file() and path.stat().st_size for path in tracked.outputs.values())
    with zipfile.ZipFile(tracked.outputs["frames"]) as archive:
        assert sum(name.endswith(".png") for name in archive.namelist()) == 12
    assert sorted(tracked.times) == list(range(12)) and tracked.report.decoded == 12


def test_the_page_of_a_result_escapes_names_and_has_no_path(upload, tmp_path):
    page = results(
        go(upload, tmp_path / "out", ("json",)), lambda path, name: f"file/{path.suffix}"
    )
    assert str(tmp_path) not in page and "<b>" not in page
    assert page.count("<video") == 2 and page.count("<a ") == 3
    assert 'download="mum &amp; &quot;dad&quot; &lt;b&gt;-tracked.json"' in page
    assert "data-from" in page and "vis-span" in page


def test_limits_are_refused_before_the_model_sees_a_frame(upload, tmp_path):
    with pytest.raises(UsageError, match="max-mb is 0"):
        Limits(megabytes=0)
    assert check_video(upload.path, Limits(seconds=1)).decoded == 12
    long = tmp_path / "long.mp4"
    write_film(long, FILMS["h264"], 60)
    with pytest.raises(VisError, match=r"s long, this page takes 1 s") as caught:
        go(StoredFile(long, "mine.mp4"), tmp_path / "a" / "out", limits=Limits(seconds=1))
    assert str(caught.value).startswith("mine.mp4: ") and not (tmp_path / "a").exists()


def test_an_error_has_the_visitors_name_and_none_of_our_paths(upload, tmp_path):
    with pytest.raises(VisError, match="no class 'unicorn'"):
        go(upload, tmp_path / "out", options=TrackOptions(classes=("unicorn",)))
    upload.path.write_bytes(b"no video at all" * 99)
    with pytest.raises(VisError) as caught:
        go(upload, tmp_path / "secret" / "out")
    assert str(caught.value).startswith(NAME) and str(tmp_path) not in str(caught.value)


def test_a_job_that_is_cancelled_stops_at_the_next_frame(upload, tmp_path):
    stop = threading.Event()

    class Impatient(Watcher):
        def show(self, frame):
            if frame.index == 3:
                stop.set()
            super().show(frame)

    watcher = Impatient(stop)
    with pytest.raises(StoppedError):
        go(upload, tmp_path / "out", watcher=watcher)
    assert list(watcher.times) == [0, 1, 2, 3] and watcher.total == 12
    assert "4 of 12 frames" in progress(watcher, 0)
    assert "2 before yours" in progress(watcher, 2)


def test_spans_are_frames_in_a_row_among_those_that_the_model_saw(tmp_path):
    path = tmp_path / "tracked.csv"
    rows = [
        (0, 4, "cat", 9),
        (2, 4, "dog", 9),
        (2, 7, "cup", 0),
        (6, 4, "dog", 5),
        (6, 7, "cup", 3),
    ]
    lines = [f"{frame},0,{key},{name},1,0,0,1,1,{area}" for frame, key, name, area in rows]
    path.write_text("\n".join(["frame,time,id,class,score,x,y,w,h,area", *lines]) + "\n")
    assert lanes(path, [0, 2, 4, 6]) == [
        Lane(4, "dog", [Span(0, 1), Span(3, 3)]),
        Lane(7, "cup", [Span(3, 3)]),
    ]


def test_times_are_from_the_first_frame_and_seek_to_the_middle_of_one():
    bounds = edges({0: 10.0, 1: 10.5, 2: 12.0})
    assert bounds == [0, 0.5, 2, 3]
    assert middle(bounds, 1) == 1.25
    assert len(edges({5: 1.0})) == 2
