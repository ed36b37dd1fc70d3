"""What every model can do: three verbs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from torch import nn

from vis.errors import UsageError
from vis.layers.padding import normalize
from vis.models._pixels import USUAL, Pixels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Self

    import torch
    from torch import Tensor

    from vis.records import Clip, ClipPredictions, ClipTargets

Output = TypeVar("Output")


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """All that an online model carries from a frame to the next."""

    queries: Tensor
    """`[B Q C]` that the next frame starts from, at least single."""


def plain_state(state: State | None) -> dict[str, Tensor] | None:
    """The state as it is saved."""
    return None if state is None else {"queries": state.queries}


def state_of(plain: Mapping[str, Tensor] | None) -> State | None:
    """The inverse of `plain_state`."""
    return None if plain is None else State(**plain)


class Model(nn.Module, ABC, Generic[Output]):
    """A network with its own output type, which only its own verbs read."""

    name: ClassVar[str]
    """Of its file in this folder, for `build`."""
    config: Any
    """The `Config` that it was built from; a dataclass."""
    frames: int
    """The most frames that a clip may have."""
    is_semantic: bool = False
    """Whether a prediction is the region of a class in a frame, not an object: its identity is its
    class."""
    class_names: tuple[str, ...] = ()
    """Of each class index; set by whoever knows them, such as `vis.weights.load`."""
    size: int | None = None
    """Pixels of the short side that it was trained for, set likewise."""
    input_size: tuple[int, int] | None = None
    """Height and width that every frame is squashed to, where the network sees no other."""
    antialias: bool = True
    """Whether frames that shrink are filtered."""
    side_by_side: bool = False
    """Whether it is so small that a frame leaves processors idle: a CPU looks at two at once."""
    pixels: Pixels = USUAL
    """How its pixels are prepared, set likewise."""

    @abstractmethod
    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """

    @abstractmethod
    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """

    @abstractmethod
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """What the output says of each clip of the batch, in its order."""

    def completed(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights that it is to start from, with what it can make itself of what is there."""
        return dict(tensors)

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute, where processes share the parameters.

        Each is called as a whole, and nothing but its own `forward` reads its parameters. All other
        parameters are whole from their first use in a step to their last, so these should be few.
        """
        yield from ()

    def with_config(self, config: object) -> Self:
        """The model, which from here on tells what it was built from; only `build` calls this."""
        self.config = config
        return self

    def set_chunk(self, chunk: int) -> None:
        """From here on compute so many parts at once; the results stay equal.

        Only for models whose `config` has a `chunk`.
        """
        # What a weight file states must be what the model does.
        self.config = replace(self.config, chunk=chunk)
        # The model is a module of its own, so its chunk is set here too.
        for part in self.modules():
            # heads that refine maps in parts keep the number beside their layers
            if "chunk" in vars(part):
                vars(part)["chunk"] = chunk

    def lay_out(self) -> None:
        """Bring the weights into the order in memory that is fastest to use; nothing else changes.

        Not for training: FSDP shares weights that lie in their plain order alone.
        """

    def normalize(self, frames: Tensor, padding: Tensor | None, dtype: torch.dtype) -> Tensor:
        """`[M 3 H W]` of 0..1 as the weights want them; see `vis.layers.padding.normalize`."""
        colours = {"mean": self.pixels.mean, "deviation": self.pixels.deviation}
        return normalize(frames, padding, dtype, **colours)

    def check_length(self, clip: Clip, *, remedy: str) -> None:
        """Refuse clips that are too long.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        if clip.frames.shape[1] > self.frames:
            raise UsageError(
                f"{self.name} was built for clips of at most {self.frames} frames,"
                f" not {clip.frames.shape[1]}",
                remedy=remedy,
            )

    def check_single(self, clip: Clip) -> None:
        """Refuse clips of several frames, for models that look at pictures.

        Raises:
            UsageError: the clips have more than one.
        """
        if clip.frames.shape[1] > 1:
            raise UsageError(
                f"{self.name} looks at clips of at most 1 frame, not {clip.frames.shape[1]}",
                remedy="Give it one frame at a time.",
            )


class OnlineModel(Model[Output]):
    """A model that goes on from the frames before: its query n is one object in every frame."""

    @abstractmethod
    def first_state(self, videos: int) -> State:
        """What the first frame of so many videos starts from."""

    @abstractmethod
    def step(self, clip: Clip, state: State | None) -> tuple[Output, State]:
        """Look at the next frames of a batch of videos; the same as `forward` of all at once.

        Args:
            clip: of one frame or several.
            state: after the frame before; None at the beginning of a video.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """

    @abstractmethod
    def query_predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """All queries of each clip of the batch, in their order, with `query_logits`."""
