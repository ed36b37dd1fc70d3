"""Many sources: names, folders, what is done is skipped, what fails is listed."""

import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import pytest

from tests.conftest import KINDS, write_film
from tests.inference.knowing import Knowing, pictures
from vis.errors import DeviceError, InputError, OutputExistsError, UsageError
from vis.inference.model_classes import model_sha256
from vis.inference.options import TrackOptions
from vis.jobs.job import RunOptions
from vis.jobs.many import plan_jobs, shard, track_all
from vis.jobs.sources import list_sources
from vis.outputs.preview_window import open_preview

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def videos(tmp_path):
    """A folder of three short films and one that is none."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("a", "b", "c10"):
        write_film(folder / f"{name}.mp4", KINDS["h264"], 10)
    (folder / "bad.mp4").write_bytes(b"not a video at all")
    return folder


SMALL = TrackOptions(size=96)
QUERIES = TrackOptions(size=96, linking="queries")


def go(sources, out, save=("jsonl",), *, options=SMALL, **run_options):
    wanted = plan_jobs([str(one) for one in sources], out, save)
    return list(
        track_all(
            wanted,
            Knowing(6),
            options=options,
            run_options=RunOptions(**({"device": "cpu"} | run_options)),
        )
    )


@pytest.mark.parametrize("value", [0, -1])
def test_numbers_below_one_are_refused_where_they_enter(value: int):
    with pytest.raises(UsageError, match=f"checkpoint is {value}, it must be at least 1"):
        RunOptions(checkpoint=value)
    with pytest.raises(UsageError, match=f"every is {value}, it must be at least 1"):
        TrackOptions(every=value)


def names(named):
    return [source.name for source in list_sources([str(one) for one in named])]


def test_folders_and_globs_are_told_apart(tmp_path, videos):
    (videos / "note.txt").write_text("nothing")
    pictures(tmp_path / "sets" / "first", 2)
    pictures(tmp_path / "sets" / "second", 2)
    (tmp_path / "sets" / "empty").mkdir()
    assert names([videos]) == ["a", "b", "bad", "c10"]
    assert names([tmp_path / "sets"]) == ["first", "second"]
    assert names([tmp_path / "sets" / "first"]) == ["first"]
    assert names([f"{videos}/[abc]*.mp4"]) == ["a", "b", "bad", "c10"]
    assert names([f"{tmp_path}/sets/first/*.png"]) == ["first"]
    assert names([f"{tmp_path}/sets/*"]) == ["first", "second"]
    assert names(["missing.mp4", "0", "/dev/video3"]) == ["missing", "camera-0", "camera-3"]
    assert names(["rtsp://user:secret@cam.local:554/live/1?key=x"]) == ["cam.local_live_1"]


def test_sources_of_one_name_are_told_apart(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "clip.mp4").touch()
    (tmp_path / "one" / "clip.mov").touch()
    paths = [tmp_path / "one" / "clip.mp4", tmp_path / "two" / "clip.mp4"]
    assert names(paths) == ["one_clip_mp4", "two_clip_mp4"]
    assert names([paths[0], tmp_path / "one" / "clip.mov"]) == ["clip_mp4", "clip_mov"]
    assert len(set(names([paths[0], paths[0]]))) == 2


def test_a_folder_without_videos_is_refused(tmp_path):
    with pytest.raises(InputError, match="no videos"):
        list_sources([str(tmp_path)])
    (tmp_path / "a.mp4").touch()
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="beside pictures"):
        list_sources([str(tmp_path)])


def test_the_output_says_what_is_written(tmp_path, videos):
    one = str(videos / "a.mp4")
    (wanted,) = plan_jobs([one], tmp_path / "out.webm")
    assert (wanted.kinds, wanted.video_suffix, wanted.source.name) == (("video",), ".webm", "out")
    (wanted,) = plan_jobs([one], tmp_path / "out.csv")
    assert wanted.kinds == ("csv",)
    (wanted,) = plan_jobs([one], tmp_path / "out.coco.json")
    assert (wanted.kinds, wanted.source.name) == (("coco",), "out")
    (wanted,) = plan_jobs([one], tmp_path / "out.v2")
    assert wanted.kinds == ("video", "json", "jsonl")
    assert wanted.folder == tmp_path / "out.v2"
    for name in ("out.wmv", "out.TXT", "out.png"):
        with pytest.raises(UsageError, match="nothing is written as"):
            plan_jobs([one], tmp_path / name)
    assert plan_jobs([one], f"{tmp_path}/out.wmv/")[0].kinds == wanted.kinds
    with pytest.raises(UsageError, match="4 videos do not go into one file"):
        plan_jobs([str(videos)], tmp_path / "out.mp4")
    with pytest.raises(UsageError, match="not among"):
        plan_jobs([one], tmp_path / "out.mp4", ["json"])
    (videos / "note.txt").touch()
    with pytest.raises(UsageError, match="no videos"):
        plan_jobs([f"{videos}/*.txt"], tmp_path / "out.mp4")


def test_a_bad_source_does_not_stop_the_others(tmp_path, videos):
    found = go([videos], tmp_path / "out")
    assert [job_result.error is None for job_result in found] == [True, True, False, True]
    assert [job_result.frames for job_result in found] == [10, 10, 0, 10]
    left = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert left == {"a.jsonl", "b.jsonl", "c10.jsonl"}
    assert not list((tmp_path / "out").glob(".*.part"))


def test_what_is_done_is_skipped_unless_something_changed(tmp_path, videos):
    sources = [videos / "a.mp4", videos / "b.mp4"]
    go(sources, tmp_path / "out")
    assert [job_result.skipped for job_result in go(sources, tmp_path / "out")] == [True, True]
    write_film(videos / "b.mp4", KINDS["h264"], 12)
    first, second = go(sources, tmp_path / "out")
    assert first.skipped
    assert isinstance(second.error, OutputExistsError)
    again = go(
        sources, tmp_path / "out", options=TrackOptions(size=96, threshold=0.5), overwrite=True
    )
    assert [job_result.frames for job_result in again] == [10, 12]
    told = json.loads((tmp_path / "out" / ".b.done.json").read_text())
    assert (told["frames"], told["settings"]["threshold"]) == (12, 0.5)


def test_what_joins_windows_is_a_choice_of_the_run(tmp_path, videos):
    (job_result,) = go([videos / "a.mp4"], tmp_path / "out", options=QUERIES)
    assert "the model has none" in str(job_result.error)
    assert not list((tmp_path / "out").glob("a.*"))
    (job_result,) = track_all(
        plan_jobs([str(videos / "a.mp4")], str(tmp_path / "out"), ["jsonl"]),
        Knowing(6, embeddings=True),
        options=QUERIES,
    )
    assert job_result.frames == 10
    told = json.loads((tmp_path / "out" / ".a.done.json").read_text())
    assert told["settings"]["linking"] == "queries"


def test_outputs_that_are_there_are_refused(tmp_path, videos):
    (tmp_path / "out.jsonl").write_text("mine")
    (job_result,) = go([videos / "a.mp4"], tmp_path / "out.jsonl")
    assert isinstance(job_result.error, OutputExistsError)
    assert (tmp_path / "out.jsonl").read_text() == "mine"
    folder = tmp_path / "out" / "a.frames"
    folder.mkdir(parents=True)
    (folder / "holiday.jpg").touch()
    (job_result,) = go([videos / "a.mp4"], tmp_path / "out", ["frames"], overwrite=True)
    assert isinstance(job_result.error, OutputExistsError)
    assert (folder / "holiday.jpg").exists()


def test_a_source_is_never_replaced(tmp_path, videos):
    before = (videos / "a.mp4").read_bytes()
    (tmp_path / "link.mp4").symlink_to(videos / "a.mp4")
    for out in (videos, videos / "a.mp4", tmp_path / "link.mp4"):
        (job_result,) = go([videos / "a.mp4"], out, ["video"], overwrite=True)
        assert isinstance(job_result.error, UsageError)
        assert "replace its source" in str(job_result.error)
    assert (videos / "a.mp4").read_bytes() == before
    assert not list(videos.glob(".*"))


def test_every_and_max_frames_keep_the_numbers_of_the_source(tmp_path, videos):
    options = TrackOptions(size=96, every=3, max_frames=3)
    go([videos / "a.mp4"], tmp_path / "out", ["jsonl", "json"], options=options)
    lines = (tmp_path / "out" / "a.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 3, 6]
    first, *_ = json.loads((tmp_path / "out" / "a.json").read_text())
    assert [mask is not None for mask in first["segmentations"]] == [True, False, False] * 2 + [
        True
    ]


def test_shards_share_the_list(monkeypatch, tmp_path, videos):
    wanted = plan_jobs([str(videos)], tmp_path)
    parts = [shard(wanted, f"{index}/3") for index in range(3)]
    assert sorted(one.source.name for part in parts for one in part) == ["a", "b", "bad", "c10"]
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert [one.source.name for one in shard(wanted, None)] == ["b", "c10"]
    for wrong in ("3/3", "1", "a/b", "-1/2"):
        with pytest.raises(UsageError):
            shard(wanted, wrong)


def test_the_model_is_known_by_its_numbers():
    import torch

    models = [torch.nn.Linear(2, 2) for _ in range(2)]
    for model in models:
        model.name, model.config, model.class_names = "made", None, ("a",)
        torch.nn.init.ones_(model.weight)
        torch.nn.init.zeros_(model.bias)
    assert model_sha256(models[0]) == model_sha256(models[1])
    models[1].bias.data[0] = 1e-7
    assert model_sha256(models[0]) != model_sha256(models[1])


class Slow(SimpleHTTPRequestHandler):
    """Serves a file in pieces, as fast as a camera."""

    def do_GET(self):
        data = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        for start in range(0, len(data), 40):
            self.wfile.write(data[start : start + 40])
            self.wfile.flush()
            time.sleep(0.01)

    def log_message(self, *_):
        """Tests stay silent."""


@pytest.fixture
def stream(tmp_path):
    write_film(tmp_path / "live.mkv", KINDS["h264_variable"], 40)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Slow, directory=str(tmp_path)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/live.mkv"
    server.shutdown()
    server.server_close()


class Ending(Knowing):
    """The user presses Ctrl-C once frame 20 is past; a slow machine may never see that one."""

    def forward(self, clip):
        found = super().forward(clip)
        if any(number >= 20 for numbers in found for number in numbers):
            raise KeyboardInterrupt
        return found


@pytest.mark.filterwarnings("ignore::vis.errors.DamageWarning")
@pytest.mark.parametrize("model", [Knowing, Ending])
def test_a_stream_that_stops_or_is_stopped_leaves_whole_outputs(tmp_path, stream, model):
    wanted = plan_jobs([stream], tmp_path / "out.mp4", ["video", "json", "jsonl"])
    run_options = RunOptions(device="cpu")
    (job_result,) = track_all(
        wanted, model(6), options=TrackOptions(size=96), run_options=run_options
    )
    assert job_result.error is None
    assert job_result.stopped == (model is Ending)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert (
            sum(1 for _ in container.decode(video=0)) == job_result.frames > 0
        )  # how many, the machine decides
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert len(lines) == job_result.frames
    assert json.loads((tmp_path / "out.json").read_text())


def test_a_window_needs_a_screen(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(DeviceError, match="--show"):
        open_preview()


def test_two_ranks_share_the_sources(tmp_path, videos, weights):
    """By torchrun, as a user runs it; the bad source is told of and the others are done."""
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
        *("--standalone", "-m", "vis", "track", str(videos)),
        *("-o", str(tmp_path / "out"), "--model", str(weights), "--size", "64"),
        *("--save", "jsonl", "csv"),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode != 0
    assert "bad.mp4" in done.stderr + done.stdout
    left = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert left == {f"{name}.{end}" for name in ("a", "b", "c10") for end in ("jsonl", "csv")}


def test_two_workers_of_ray_do_what_one_process_does(tmp_path, videos, weights):
    pytest.importorskip("ray", reason="Ray is not installed here (extra `ray`)")
    script = (
        "import ray, sys; from vis.cli import main; "
        "ray.init(num_cpus=2, include_dashboard=False); sys.exit(main(sys.argv[1:]))"
    )
    rest = ["--model", str(weights), "--size", "64", "--save", "jsonl", "json"]
    command = [sys.executable, "-c", script, "track", str(videos), "-o", str(tmp_path / "ray")]
    done = subprocess.run(
        [*command, "--on", "ray", *rest], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 65, done.stderr
    assert "1 of 4 sources failed" in done.stdout
    found = go([videos], tmp_path / "local", ["jsonl", "json"])
    assert len(found) == 4
    assert {path.name for path in (tmp_path / "ray").glob("[!.]*")} == {
        path.name for path in (tmp_path / "local").glob("[!.]*")
    }


def test_without_ray_the_error_says_what_to_install(tmp_path, videos, monkeypatch):
    from vis.jobs.ray_jobs import track_on_ray

    monkeypatch.setitem(sys.modules, "ray", None)
    wanted = plan_jobs([str(videos)], tmp_path)
    with pytest.raises(DeviceError, match=r"vis-kit\[ray\]"):
        next(track_on_ray(wanted, options=TrackOptions(), run_options=RunOptions()))
