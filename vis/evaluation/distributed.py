"""The processes that evaluate together: each takes its videos, files carry the results."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from vis.formats.ytvis import read_results, write_results

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import AnnotationSet, VideoEntry
    from vis.records import Track

_TIMEOUT = timedelta(days=7)
"""torchrun ends all processes when one of them fails, so that nobody waits in vain."""


@dataclass(frozen=True, slots=True)
class DistributedContext:
    """This process among all; alone, nothing is written."""

    rank: int = 0
    world: int = 1
    folder: Path | None = None
    """That all processes see; it is needed where there are several."""
    barrier: Callable[[str], None] = lambda _: None
    """Waits until all processes have come to the barrier of this name."""

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all."""
        return self.rank == 0

    def share(self, videos: Iterable[VideoEntry]) -> list[VideoEntry]:
        """The videos of this process: every one is somebody's, long ones are spread evenly."""
        ranked = sorted(videos, key=lambda video: (-video.length, video.id))
        return ranked[self.rank :: self.world]

    def gather(
        self, tracks: Mapping[int, Sequence[Track]], truth: AnnotationSet
    ) -> dict[int, list[Track]]:
        """The results of all processes from those of each, by id of the video.

        Raises:
            OutputError: the folder cannot be written.
        """
        if self.world == 1:
            return {video_id: list(of_video) for video_id, of_video in tracks.items()}
        assert self.folder is not None
        lengths = {video_id: video.length for video_id, video in truth.videos.items()}
        write_results(self._file(self.rank), tracks, lengths, overwrite=True)
        self.barrier("written")
        parts = [read_results(self._file(rank), truth) for rank in range(self.world)]
        self.barrier("read")
        # a video is one process's, the others have nothing of it
        return {
            video_id: next((part[video_id] for part in parts if part[video_id]), [])
            for video_id in truth.videos
        }

    def _file(self, rank: int) -> Path:
        assert self.folder is not None
        return self.folder / f"results-{rank}.json"


def own_device(name: str) -> str:
    """The device of this process on its machine, where `auto` or `cuda` leaves it open."""
    import torch

    local = os.environ.get("LOCAL_RANK")
    if local is None or name not in ("auto", "cuda") or not torch.cuda.is_available():
        return name
    return f"cuda:{int(local) % torch.cuda.device_count()}"


@contextmanager
def launched(folder: Path | None = None) -> Iterator[DistributedContext]:
    """This process among those that `torchrun` started, or alone.

    Args:
        folder: that all machines see, for the files in passing; None for that of temporary files,
            which suffices on one machine.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        yield DistributedContext()
        return
    from torch.distributed.rendezvous import rendezvous

    store, rank, world = next(rendezvous("env://", timeout=_TIMEOUT))
    if rank == 0:
        store.set("folder", tempfile.mkdtemp(prefix="vis-evaluate-", dir=folder))
    shared = Path(store.get("folder").decode())

    def barrier(name: str) -> None:
        store.set(f"{name}-{rank}", "")
        store.wait([f"{name}-{other}" for other in range(world)], _TIMEOUT)

    try:
        yield DistributedContext(rank, world, shared, barrier)
        barrier("end")
    finally:
        if rank == 0:
            shutil.rmtree(shared, ignore_errors=True)
