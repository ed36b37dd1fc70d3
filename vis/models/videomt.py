"""VidEoMT (Norouzi et al., 2026): EoMT whose queries go from each frame to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from vis.backbones.dinov2_registers import RegisterDINOv2
from vis.errors import UsageError
from vis.layers import query_blocks
from vis.losses.frame_query_loss import FrameQueryLoss
from vis.losses.query_loss import PUBLISHED_POINTS, QueryLoss
from vis.models._checks import check_choice, check_counts, check_fractions
from vis.models._contract import OnlineModel, State
from vis.models._eomt import PATCH, EoMT
from vis.models._frame_output import Output, all_queries
from vis.models._query_selection import TASKS, VIDEO, selection_of

if TYPE_CHECKING:
    from vis.records import Clip, ClipPredictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the published small model of clips."""

    classes: int
    """Number of classes in the data set."""
    task: str = VIDEO
    """What is predicted: tracks of a video, frame after frame (`video`, VidEoMT), or of a picture
    its objects (`instance`), its segments (`panoptic`) or the class of each pixel (`semantic`),
    which is EoMT (Kerssies et al., 2025)."""
    frames: int = 36
    """The most of a clip that is looked at as a whole; a picture has 1. No weight depends on it."""
    image: int = 640
    """Side in pixels of the square that the positions are made for; others are resized."""
    d_model: int = 384
    """Channels: 384, 768 and 1024 are the published small, base and large."""
    depth: int = 12
    """Blocks; 24 of the large one."""
    num_heads: int = 6
    """Of each block; 12 and 16 of the base and the large one."""
    query_depth: int = 3
    """Last blocks, which see the queries; 4 of the large one."""
    queries: int = 200
    """Number of queries, so the most tracks of a video or objects of a picture."""
    detach_every: int | None = None
    """In training, frames after which no gradient flows to the frames before: memory of the
    queries' path is bounded in longer clips. None for never, as published."""
    points: int = PUBLISHED_POINTS
    """Number of points at which the loss compares two masks."""
    keep: int | None = None
    """The most predictions of a whole clip; as published, 10 of a clip and 100 of a picture."""
    things: int | None = None
    """The first classes that are objects, where the others are not (`panoptic`, `instance`)."""
    min_score: float = 0.8
    """Segments have a class that is more probable."""
    min_whole: float = 0.8
    """Share of its mask that a segment keeps, or it is left out."""
    chunk: int = 8
    """Frames that go through the first blocks at once; bounds memory, changes no result."""

    @property
    def backbone(self) -> str:
        """What timm calls the network whose weights the published models begin with."""
        size = {384: "small", 768: "base", 1024: "large"}.get(self.d_model, f"of_{self.d_model}")
        return f"vit_{size}_patch14_reg4_dinov2.lvd142m"


class VidEoMT(EoMT, OnlineModel[Output]):
    """A frame's queries are what the frame before made of its own, fused with the learned ones.

    Args:
        width: channels.
        detach_every: frames after which no gradient flows back; None for never.
        parts: of `EoMT`.
    """

    def __init__(self, width: int, *, detach_every: int | None, **parts: Any) -> None:
        super().__init__(**parts)
        self.query_updater = nn.Linear(width, width)
        self.detach_every = detach_every

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips from their first frame on.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        return self.step(clip, None)[0]

    def first_state(self, videos: int) -> State:
        """What the first frame of so many videos starts from: the learned queries."""
        return State(self._learned(videos))

    def step(self, clip: Clip, state: State | None) -> tuple[Output, State]:
        """Look at the next frames; see `OnlineModel`.

        The first blocks see all frames at once, the last ones one after the other.

        Raises:
            UsageError: the clips have more frames than the model was built for.
        """
        self.check_length(clip, remedy="Go on with `step`, or build it with more `frames`.")
        tokens, padded_size = self._tokens(clip)
        learned = self._learned(len(tokens))
        queries = learned if state is None else state.queries.to(learned)
        frames = []
        for t in range(tokens.shape[1]):
            if self.detach_every and t and t % self.detach_every == 0:
                queries = queries.detach()
            states, parts = self._frame(queries, tokens[:, t], padded_size)
            # of the un-normed states: with normed ones the published weights say something else
            queries = self.query_updater(states) + learned
            frames.append(parts)
        return self._output(frames, padded_size, clip), State(queries)

    @torch.no_grad()
    def query_predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """All queries of each clip of the batch, in their order, with `query_logits`."""
        del clip
        return all_queries(output)


def build(config: Config) -> EoMT:
    """The model with fresh weights.

    Raises:
        UsageError: a setting is out of range.
    """
    _check(config)
    width, video = config.d_model, config.task == VIDEO
    parts: dict[str, Any] = {
        "classes": config.classes,
        "frames": config.frames if video else 1,
        "is_semantic": config.task == "semantic",
        "backbone": RegisterDINOv2(
            config.image // PATCH,
            patch=PATCH,
            width=width,
            depth=config.depth,
            num_heads=config.num_heads,
            late=config.query_depth,
        ),
        "queries": nn.Embedding(config.queries, width),
        "class_head": nn.Linear(width, config.classes + 1),
        "mask_head": query_blocks.mask_head(width),
        "upscale": query_blocks.upscale(width),
        "loss": FrameQueryLoss(QueryLoss(points=config.points)),
        "selection": selection_of(config),
        "chunk": config.chunk,
    }
    if not video:
        return EoMT(**parts).with_config(config)
    return VidEoMT(width, detach_every=config.detach_every, **parts).with_config(config)


def _check(config: Config) -> None:
    check_choice(config, "task", TASKS)
    check_counts(config, "classes frames d_model depth num_heads query_depth queries")
    check_counts(config, "detach_every points keep chunk")
    check_fractions(config, "min_score min_whole")
    if config.d_model % config.num_heads:
        raise UsageError(f"d_model {config.d_model} is no multiple of {config.num_heads} heads")
    if config.image < PATCH or config.image % PATCH:
        raise UsageError(f"image {config.image} is no multiple of {PATCH}")
    if config.query_depth > config.depth:
        raise UsageError(f"query_depth {config.query_depth} is more than depth {config.depth}")
