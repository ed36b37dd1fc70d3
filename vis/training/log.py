"""What a run says of itself: a line for people, JSON lines for programs, TensorBoard on request."""

from __future__ import annotations

import ctypes
import json
import os
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

import torch

from vis.errors import DeviceError
from vis.storage.disk_errors import output_errors
from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from vis.records import Pixels

LOG, MEASURED = "log.jsonl", "evaluation.jsonl"
BAD, EVENTS = "bad_batches.jsonl", "tensorboard"
SAID = 4
"""Numbers of an evaluation that people see at once."""
GIB = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Means over the steps since the line before."""

    step: int
    """Steps that are done."""
    loss: float
    terms: dict[str, float]
    """Their sum is the loss."""
    norm: float
    """Of the gradient, before it was clipped."""
    lr: float
    """Of the parameters outside the backbone."""
    seconds: float
    """Of a step."""
    wait: float
    """Seconds of a step that went by waiting for data."""
    memory: int
    """Peak bytes: of the GPU, or of this process on the CPU; 0 where the system does not tell."""
    skipped: int = 0
    """Steps that were left out since the line before."""
    replaced: int = 0
    """Clips of this process that could not be read since then, so that others took their place."""

    def text(self, steps: int) -> str:
        """For people; `steps` is the length of the run."""
        terms = ", ".join(f"{name} {value:.3g}" for name, value in self.terms.items())
        parts = [
            f"step {self.step}/{steps}",
            f"loss {self.loss:.4g} ({terms})",
            f"rate {self.lr:.2g}",
            f"{self.seconds:.3g} s/step",
            f"data {100 * self.wait / max(self.seconds, 1e-9):.0f} %",
            gibibytes(self.memory),
            f"left {duration(self.seconds * (steps - self.step))}",
        ]
        parts += [f"{name} {getattr(self, name)}" for name in _RARE if getattr(self, name)]
        return "  ".join(parts)


# zeros on every line would hide the one that is none
_RARE = ("skipped", "replaced")


class Log:
    """Writes the lines of one run.

    Args:
        folder: of the run; None writes nothing, for the other processes.
        step: steps that are done; what a killed run logged after them is taken back.
        steps: length of the run.
        tensorboard: whether to write for TensorBoard too.

    Raises:
        DeviceError: TensorBoard is wanted but not installed.
    """

    def __init__(self, folder: Path | None, *, step: int, steps: int, tensorboard: bool) -> None:
        self._folder, self._steps = folder, steps
        self._board: Any = None
        if folder is None:
            return
        _take_back(folder / LOG, step)
        _take_back(folder / MEASURED, step)
        if tensorboard:
            self._board = _board(folder / EVENTS, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._board is not None:
            self._board.close()

    def write(self, line: Line) -> None:
        """One line to each place."""
        if self._folder is None:
            return
        # `rate` is what the learning rate has always been called in the file that programs read
        record = {"rate" if name == "lr" else name: value for name, value in asdict(line).items()}
        _append(self._folder / LOG, {"at": round(time.time(), 3), **record})
        self.say(line.text(self._steps))
        if self._board is not None:
            numbers = {f"loss/{name}": value for name, value in line.terms.items()}
            numbers |= {"loss": line.loss, "norm": line.norm, "rate": line.lr}
            numbers |= {"time/step": line.seconds, "time/data": line.wait, "memory": line.memory}
            for name, value in numbers.items():
                self._board.add_scalar(name, value, line.step)

    def measured(self, step: int, numbers: dict[str, float], seconds: float) -> None:
        """The numbers of an evaluation, to each place."""
        if self._folder is None:
            return
        rounded, values = round(seconds, 3), dict[str, object](numbers)
        _append(
            self._folder / MEASURED,
            {"at": round(time.time(), 3), "step": step, "seconds": rounded, "numbers": values},
        )
        few = ", ".join(f"{name} {value:.3f}" for name, value in list(numbers.items())[:SAID])
        self.say(f"step {step}/{self._steps}  evaluated: {few}  in {duration(seconds)}")
        if self._board is not None:
            for name, value in numbers.items():
                self._board.add_scalar(f"evaluation/{name}", value, step)

    def show(self, pixels: Pixels, step: int) -> None:
        """A picture of what the model sees, for TensorBoard."""
        if self._board is not None:
            self._board.add_image("predictions", pixels, step, dataformats="HWC")

    def say(self, words: str) -> None:
        """A line for people alone."""
        if self._folder is not None:
            # stderr: stdout is for what a program may want to read
            sys.stderr.write(f"{words}\n")
            sys.stderr.flush()


def note_bad_batch(folder: Path, record: dict[str, object]) -> None:
    """Add a batch to the run's list of those that gave no finite loss or gradient."""
    _append(folder / BAD, record)


def peak_memory(device: torch.device) -> int:
    """Bytes: of the GPU, or of this process on the CPU; 0 where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return _peak_of_windows()
    # ru_maxrss is in bytes on macOS and in KiB elsewhere
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _peak_of_windows() -> int:
    counters = _Counters()
    counters.cb = ctypes.sizeof(counters)
    library: Any = getattr(ctypes, "windll", None)  # there alone
    if library is None:
        return 0
    kernel = library.kernel32
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    kernel.K32GetProcessMemoryInfo.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
    process = kernel.GetCurrentProcess()
    succeeded = kernel.K32GetProcessMemoryInfo(process, ctypes.byref(counters), counters.cb)
    return int(counters.PeakWorkingSetSize) if succeeded else 0


class _Counters(ctypes.Structure):
    """`PROCESS_MEMORY_COUNTERS` of the Windows API."""

    _fields_ = (
        ("cb", ctypes.c_uint32),
        ("PageFaultCount", ctypes.c_uint32),
        ("PeakWorkingSetSize", ctypes.c_size_t),
        ("WorkingSetSize", ctypes.c_size_t),
        ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPagedPoolUsage", ctypes.c_size_t),
        ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
        ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
        ("PagefileUsage", ctypes.c_size_t),
        ("PeakPagefileUsage", ctypes.c_size_t),
    )


def gibibytes(memory: int) -> str:
    """Such as `1.5 GiB`, of what `peak_memory` tells."""
    return f"{memory / GIB:.1f} GiB" if memory else "unknown memory"


def duration(seconds: float) -> str:
    """Such as `4:32` or `2 d 03:10:00`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours:02}:{minutes:02}:{rest:02}"
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _append(path: Path, record: dict[str, object]) -> None:
    """One write, so that lines of several processes do not mix; NaN is not JSON, so it is null."""
    text = json.dumps(_finite(record), ensure_ascii=False, allow_nan=False) + "\n"
    with output_errors(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            rest = text.encode()
            while rest:  # a full disk may take the beginning alone, and says so at the next write
                rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    return value


def _take_back(path: Path, step: int) -> None:
    """Drop lines after `step`, and one that a kill cut short."""
    if not path.exists():
        return
    lines = []
    for line in path.read_bytes().splitlines(keepends=True):
        with suppress(ValueError, KeyError, TypeError):
            if line.endswith(b"\n") and json.loads(line)["step"] <= step:
                lines.append(line)
    write_whole(path, b"".join(lines), overwrite=True)


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise DeviceError(
            "TensorBoard is not installed",
            remedy="Run `pip install 'vis-kit[tensorboard]'`, or turn training.tensorboard off.",
        ) from error
    # purge_step hides what a killed run logged after its last checkpoint
    return SummaryWriter(str(folder), purge_step=step or None)
