"""A model that onnxruntime computes, for all that takes a model."""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import torch

from vis.errors import DeviceError, UsageError
from vis.export.graph_files import exported, write_onnx
from vis.export.step import FRAMES, NEXT_QUERIES, QUERIES, Step, takes_any_size
from vis.models import Model
from vis.models._contract import OnlineModel, State
from vis.records import ClipPredictions
from vis.storage.whole_file import make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from torch import Tensor

    from vis.records import Clip, ClipTargets

Fields = dict[str, "Tensor"]


class OnnxModel(Model[list[Fields]]):
    """The same predictions as the model's, but for rounding.

    One graph serves all sizes that it takes, if the model has such a graph; each other size has a
    graph of its own.

    Args:
        model: on the CPU, in eval mode.
        folder: where graphs are kept for the next time.
        key: tells the model from others.

    Raises:
        UsageError: the model's work is no graph.
        DeviceError: onnx, onnxscript or onnxruntime are not installed.
    """

    name: ClassVar[str] = "onnx"

    def __init__(self, model: Model[Any], folder: Path, key: str) -> None:
        super().__init__()
        self.model = model.eval()
        self.config, self.frames, self.size = model.config, model.frames, model.size
        self.class_names, self.is_semantic = model.class_names, model.is_semantic
        self.input_size, self.antialias, self.pixels = (
            model.input_size,
            model.antialias,
            model.pixels,
        )
        self._folder, self._key = folder, key
        self._sessions: dict[tuple[int, int] | None, Any] = {}

    def forward(self, clip: Clip) -> list[Fields]:
        """The fields of the predictions of each clip, whose frames must be full of content."""
        size = (clip.frames.shape[-2], clip.frames.shape[-1])
        if any(tuple(one) != size for one in clip.sizes.tolist()):
            raise UsageError(
                "the engine onnx takes no padded clips", remedy="Take the engine torch."
            )
        session = self._session(size)
        return [self._fields(session, frames) for frames in clip.frames]

    def losses(self, output: list[Fields], targets: Sequence[ClipTargets]) -> NoReturn:
        """A graph is not trained.

        Raises:
            UsageError: always.
        """
        del output, targets
        raise UsageError("an exported model cannot be trained", remedy="Train the one it is of.")

    def predictions(self, output: list[Fields], clip: Clip) -> list[ClipPredictions]:
        """The rows that are objects."""
        del clip
        # the rows of a graph are as many as ever; those of a score of 0 are none
        return [
            ClipPredictions(
                **{
                    name: value if name == "semantic" else value[fields["scores"] > 0]
                    for name, value in fields.items()
                }
            )
            for fields in output
        ]

    @staticmethod
    def _fields(session: Any, frames: Tensor, **state: Tensor) -> Fields:
        inputs = {FRAMES: frames, **state}
        values = session.run(None, {name: x.contiguous().numpy() for name, x in inputs.items()})
        return {
            output.name: torch.from_numpy(value)
            for output, value in zip(session.get_outputs(), values, strict=True)
        }

    def _session(self, size: tuple[int, int]) -> Any:
        any_size = takes_any_size(self.model, size)
        key = None if any_size else size
        if key not in self._sessions:
            sides = "any" if any_size else f"{size[0]}x{size[1]}"
            path = self._folder / f"{self._key}-{sides}.onnx"
            if not path.is_file():
                make_folder(self._folder)
                # two processes may make the same graph: each its own, and the last one stays
                part = path.with_name(f".{path.name}.{os.getpid()}.part")
                step = Step(self.model, size, any_size=any_size)
                write_onnx(exported(step), step, part)
                part.replace(path)
            self._sessions[key] = session_of(path)
        return self._sessions[key]


class OnlineOnnxModel(OnnxModel, OnlineModel[list[Fields]]):
    """Likewise of a model that goes on from frame to frame."""

    def forward(self, clip: Clip) -> NoReturn:
        """It sees a frame at a time.

        Raises:
            UsageError: always.
        """
        del clip
        raise UsageError("this graph goes on from frame to frame", remedy="Call step.")

    def first_state(self, videos: int) -> State:
        """See `OnlineModel`."""
        return self._online.first_state(videos)

    def step(self, clip: Clip, state: State | None) -> tuple[list[Fields], State]:
        """The next frame of a video; see `OnlineModel`.

        Raises:
            UsageError: the clip has several frames, or is one of several.
        """
        if clip.frames.shape[:2] != (1, 1):
            raise UsageError(
                "the engine onnx takes a frame at a time", remedy="Take a window of 1."
            )
        before = self.first_state(1) if state is None else state
        session = self._session((clip.frames.shape[-2], clip.frames.shape[-1]))
        fields = self._fields(session, clip.frames[0], **{QUERIES: before.queries.detach()})
        return [fields], State(fields.pop(NEXT_QUERIES))

    def query_predictions(self, output: list[Fields], clip: Clip) -> list[ClipPredictions]:
        """All queries; see `OnlineModel`."""
        del clip
        return [ClipPredictions(**fields) for fields in output]

    @property
    def _online(self) -> OnlineModel[Any]:
        assert isinstance(self.model, OnlineModel)
        return self.model


def onnx_model(model: Model[Any], folder: Path, key: str) -> OnnxModel:
    """The model as onnxruntime computes it; see `OnnxModel`."""
    kind = OnlineOnnxModel if isinstance(model, OnlineModel) else OnnxModel
    return kind(model, folder, key)


def session_of(path: Path) -> Any:
    """The graph, ready to run on the CPU, with as many threads as torch has.

    Raises:
        DeviceError: onnxruntime is not installed.
    """
    try:
        runtime = importlib.import_module("onnxruntime")
    except ImportError as error:
        raise DeviceError(
            f"the engine onnx is onnxruntime, which cannot be loaded ({error})",
            remedy="Install it: pip install 'vis-kit[export]', from a copy of the project.",
        ) from None
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    # waiting threads that spin take the cores of decoder and encoder
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
