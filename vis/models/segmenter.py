"""Segmenter (Strudel et al., 2021): a vision transformer names the class of every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from vis.backbones.vit import ViT, published_name
from vis.errors import UsageError
from vis.layers.padding import normalize, padded_size_of, padding_mask
from vis.losses.semantic import PixelLoss
from vis.losses.targets import check_batch
from vis.models._checks import check_choice, check_counts
from vis.models._contract import Model
from vis.models._semantic import by_class
from vis.models._token_decoders import LinearDecoder, MaskTransformer
from vis.models._windows import Tiling, Windows, averaged

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vis.records import Clip, ClipPredictions, ClipTargets

DECODERS = ("mask", "linear")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The defaults are those of the published small model of ADE20K."""

    RENAMED: ClassVar[dict[str, str]] = {
        "width": "d_model",
        "heads": "num_heads",
    }

    classes: int
    """Number of classes in the data set."""
    image: int = 512
    """Side in pixels of the frames that the positions are made for; others are resized."""
    patch: int = 16
    """Side of a token in pixels."""
    d_model: int = 384
    """Channels: 192, 384, 768 and 1024 are the published tiny, small, base and large."""
    depth: int = 12
    """Layers of the encoder; 24 of the large one."""
    num_heads: int = 6
    """Heads of the encoder; the published ones have 64 channels each."""
    distilled: bool = False
    """Whether the encoder is a DeiT, with a second token."""
    decoder: str = "mask"
    """`mask`: patches and classes look at each other; `linear`: each patch for itself."""
    decoder_depth: int = 2
    decoder_heads: int = 6
    drop_path: float = 0.1
    """Stochastic depth of the encoder's last layer; it rises to it from 0."""
    dropout: float = 0.1
    """Probability in the mask decoder, as released; the article says none."""
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    """Red, green and blue 0..1, a part of the weights, as the padding is zero after it."""
    deviation: tuple[float, ...] = (0.5, 0.5, 0.5)
    background: bool = False
    """Whether pixels of no object are one more class, which is never predicted: for data sets of
    objects. Without, they are not judged and every pixel gets a class, as published."""
    window: int | None = None
    """Side of the windows in which a picture is looked at in use; none for the whole picture."""
    stride: int | None = None
    """Pixels from one window to the next; none for as many as a window has."""
    scales: tuple[float, ...] = (1.0,)
    """Sizes, beside the given one, at which a picture is looked at in use; needs a window. A
    published average has 0.5, 0.75, 1, 1.25, 1.5 and 1.75."""
    mirrored: bool = False
    """Whether each is looked at mirrored, too; needs a window."""
    chunk: int = 8
    """Windows that are looked at at once; bounds memory, changes no result."""

    def __post_init__(self) -> None:
        """Files know lists alone."""
        for name in ("mean", "deviation", "scales"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    @property
    def backbone(self) -> str:
        """What timm calls the network whose weights the published models begin with."""
        return published_name(width=self.d_model, patch=self.patch, distilled=self.distilled)


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """Scores of classes, and what of the padded frames is content."""

    logits: Tensor
    """`[B K h w]` over the padded frame, of patches or, of windows, of pixels."""
    padded_size: tuple[int, int]
    sizes: Tensor
    """`[B 2]` pixels of the content."""


class Segmenter(Model[Output]):
    """A clip has one frame; in a padded frame, padding counts as content, as published.

    Args:
        patch: side of a token in pixels.
        windows: in which a picture is looked at in use; None for the whole picture.
        chunk: windows that are looked at at once.
        background: whether the last row of the scores is no class.
        mean: of red, green and blue 0..1.
        deviation: likewise.
        backbone: frames to tokens.
        decoder: tokens of patches to scores.
        loss: of scores and targets.
    """

    name: ClassVar[str] = "segmenter"
    is_semantic = True

    def __init__(
        self,
        *,
        patch: int,
        windows: Windows | None,
        chunk: int,
        background: bool,
        mean: tuple[float, ...],
        deviation: tuple[float, ...],
        backbone: ViT,
        decoder: LinearDecoder | MaskTransformer,
        loss: PixelLoss,
    ) -> None:
        super().__init__()
        self.frames, self.patch, self.background = 1, patch, background
        self.windows, self.chunk = windows, chunk
        self.mean, self.deviation = mean, deviation
        self.backbone, self.decoder, self.loss = backbone, decoder, loss

    def forward(self, clip: Clip) -> Output:
        """Look at a batch of clips of one frame; in use by windows, where that is set.

        Raises:
            UsageError: the clips have more frames.
        """
        self.check_single(clip)
        padded_size = padded_size_of(clip.frames, self.patch)
        # Training sees crops as large as a window; windows are for whole pictures in use.
        if self.windows is None or self.training:
            padding = padding_mask(clip.sizes, padded_size, clip.frames.device)
            logits = self._cells(self._normalize(clip.frames[:, 0], padding))
        else:
            logits = torch.stack(list(self._by_windows(clip, self.windows, padded_size)))
        return Output(logits, padded_size, clip.sizes)

    def losses(self, output: Output, targets: Sequence[ClipTargets]) -> dict[str, Tensor]:
        """Weighted scalars by name; their sum is to be minimised.

        Raises:
            UsageError: output and targets do not belong together.
            DataError: a label is not one of the model's classes.
        """
        check_batch(targets, len(output.sizes))
        return self.loss(output.logits, output.padded_size, output.sizes, targets)

    @torch.no_grad()
    def predictions(self, output: Output, clip: Clip) -> list[ClipPredictions]:
        """`semantic`, and one row for each class that is seen; `embeddings` name the class.

        A row is the region of a class, not an object.
        """
        del clip
        predictions = []
        for m, (height, width) in enumerate(output.sizes.tolist()):
            large = _enlarged(output.logits[m : m + 1].float(), output.padded_size)
            class_probs = large[:, :, :height, :width].softmax(dim=1)
            if self.background:
                predictions.append(by_class(class_probs[:, :-1], class_probs[:, -1]))
            else:
                predictions.append(by_class(class_probs))
        return predictions

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts that are whole only while they compute; see `Model`."""
        yield from self.backbone.shard_blocks()
        yield from self.decoder.shard_blocks()

    def look(self, pictures: Tensor) -> Tensor:
        """Normalised pictures `[M 3 H W]` -> scores of their pixels `[M K H W]`."""
        height, width = pictures.shape[2:]
        padded_size = padded_size_of(pictures, self.patch)
        padded = pad(pictures, (0, padded_size[1] - width, 0, padded_size[0] - height))
        return _enlarged(self._cells(padded), padded_size)[:, :, :height, :width]

    def _cells(self, frames: Tensor) -> Tensor:
        """Normalised frames `[M 3 H W]` of whole patches -> scores `[M K h w]` of the patches."""
        height, width = (side // self.patch for side in frames.shape[2:])
        # The class token and DeiT's second one come first; a decoder reads patches alone.
        patches = self.backbone(frames)[:, -height * width :]
        scores: Tensor = self.decoder(patches)
        return rearrange(scores, "m (h w) k -> m k h w", h=height)

    def _by_windows(
        self, clip: Clip, windows: Windows, padded_size: tuple[int, int]
    ) -> Iterator[Tensor]:
        """`[K H W]` of each picture: the logarithm of its mean probabilities, padded."""
        tiling = Tiling(windows.side, windows.stride, self.chunk)
        for frame, (height, width) in zip(clip.frames[:, 0], clip.sizes.tolist(), strict=True):
            scaled = windows.pictures(frame[None, :, :height, :width])
            views = [x._replace(picture=self._normalize(x.picture, None)[0]) for x in scaled]
            class_probs = averaged(self.look, views, tiling, (height, width))
            # Back to logits: views are averaged as probabilities, the output holds logits.
            logits = class_probs.clamp(min=torch.finfo(class_probs.dtype).tiny).log()
            yield pad(logits, (0, padded_size[1] - width, 0, padded_size[0] - height))

    def _normalize(self, frames: Tensor, padding: Tensor | None) -> Tensor:
        kind = next(self.parameters()).dtype
        return normalize(frames, padding, kind, mean=self.mean, deviation=self.deviation)


def build(config: Config) -> Segmenter:
    """The model with fresh weights.

    Raises:
        UsageError: a setting cannot be.
    """
    _check(config)
    rows = config.classes + config.background
    decoder: nn.Module
    if config.decoder == "linear":
        decoder = LinearDecoder(config.d_model, rows)
    else:
        decoder = MaskTransformer(
            config.d_model,
            rows,
            depth=config.decoder_depth,
            num_heads=config.decoder_heads,
            dropout=config.dropout,
        )
    return Segmenter(
        patch=config.patch,
        windows=_windows(config),
        chunk=config.chunk,
        background=config.background,
        mean=config.mean,
        deviation=config.deviation,
        backbone=ViT(
            config.image,
            patch=config.patch,
            width=config.d_model,
            depth=config.depth,
            num_heads=config.num_heads,
            distilled=config.distilled,
            drop_path=config.drop_path,
        ),
        decoder=decoder,
        loss=PixelLoss(config.classes, background=config.background),
    ).with_config(config)


def _enlarged(logits: Tensor, padded_size: tuple[int, int]) -> Tensor:
    """`[M K h w]` -> `[M K H W]`."""
    if tuple(logits.shape[2:]) == padded_size:
        return logits
    return interpolate(logits, padded_size, mode="bilinear")


def _check(config: Config) -> None:
    check_counts(config, "classes image patch d_model depth num_heads chunk")
    check_counts(config, "decoder_heads decoder_depth")
    check_choice(config, "decoder", DECODERS)
    if config.d_model % config.num_heads or config.d_model % config.decoder_heads:
        raise UsageError(f"d_model {config.d_model} is no multiple of the heads")
    if config.image % config.patch:
        raise UsageError(f"image {config.image} is no multiple of the patch {config.patch}")
    for name in ("drop_path", "dropout"):
        if not 0 <= getattr(config, name) < 1:
            raise UsageError(f"{name} is {getattr(config, name)}, it must be 0 or more, below 1")
    if len(config.mean) != 3 or len(config.deviation) != 3 or min(config.deviation) <= 0:
        raise UsageError("mean and deviation need 3 numbers each, deviations above 0")
    _check_windows(config)


def _windows(config: Config) -> Windows | None:
    if config.window is None:
        return None
    stride = config.stride or config.window
    return Windows(config.window, stride, config.scales, mirrored=config.mirrored)


def _check_windows(config: Config) -> None:
    window, stride = config.window, config.stride
    if window is not None and (window < 1 or not 1 <= (stride or window) <= window):
        raise UsageError(f"window {window} and stride {stride} leave pixels out")
    if not config.scales or min(config.scales) <= 0:
        raise UsageError(f"scales are {config.scales}, they must be above 0")
    if window is None and (stride or config.mirrored or config.scales != (1.0,)):
        raise UsageError("stride, scales and mirrored need a window")
