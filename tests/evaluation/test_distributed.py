"""Processes that torchrun starts find each other, and files carry what they found."""

import subprocess
import sys

from tests.conftest import PATIENCE
from vis.evaluation.distributed import DistributedContext, launched
from vis.formats.ytvis_records import VideoEntry

SCRIPT = """
import sys
from pathlib import Path
from vis.evaluation.distributed import launched
with launched(Path(sys.argv[1])) as team:
    (team.folder / str(team.rank)).write_text(str(team.world))
    team.barrier("written")
    found = sorted(path.name + path.read_text() for path in team.folder.iterdir())
    Path(sys.argv[1], f"found-{team.rank}").write_text(" ".join(found))
"""


def test_alone_nothing_is_needed(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with launched() as team:
        assert team.is_first
        assert team.folder is None


def test_every_video_is_somebodys_and_long_ones_are_spread():
    videos = [VideoEntry(n, str(n), 4, 4, 10 * n, ("x.jpg",) * 10 * n) for n in range(1, 8)]
    shares = [DistributedContext(rank, 3).share(videos) for rank in range(3)]
    assert sorted(video.id for share in shares for video in share) == list(range(1, 8))
    assert [share[0].id for share in shares] == [7, 6, 5]


def test_two_processes_meet_and_leave_nothing_behind(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run([*command, script, tmp_path], capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    for rank in "01":
        assert (tmp_path / f"found-{rank}").read_text() == "02 12"
    assert not list(tmp_path.glob("vis-evaluate-*"))
