"""Any network of timm that has levels of strides 4, 8, 16 and 32."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import timm
from timm.layers import norm_act
from timm.models import FeatureListNet
from torch import nn

from vis.backbones.levels import Backbone
from vis.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

STRIDES = (4, 8, 16, 32)
LEARNING = "+bn"
"""End of the name of a network whose batch norms learn, which a start from nothing needs."""


class TimmLevels(Backbone):
    """timm's network without its classifier; batch norms, where it has some, are frozen.

    Args:
        name: timm's name, such as `swin_tiny_patch4_window7_224`; with `+bn` at its end, batch
            norms learn.

    Raises:
        UsageError: timm has no such network, or it lacks one of the levels.
    """

    multiple = 32

    def __init__(self, name: str) -> None:
        super().__init__()
        net = _create(name.removesuffix(LEARNING))
        channels = dict(zip(net.feature_info.reduction(), net.feature_info.channels(), strict=True))
        missing = [stride for stride in STRIDES if stride not in channels]
        if missing:
            raise UsageError(
                f"backbone {name!r} has levels of strides {list(channels)}, none of {missing[0]}",
                remedy="Choose one with levels of strides 4, 8, 16 and 32.",
            )
        self.picked = [list(channels).index(stride) for stride in STRIDES]
        self.channels = (channels[4], channels[8], channels[16], channels[32])
        self.channels_last = str(getattr(net, "output_fmt", "NCHW")).endswith("NHWC")
        freeze: Any = norm_act.freeze_batch_norm_2d
        self.net = net if name.endswith(LEARNING) else freeze(net)

    def forward(self, frames: Tensor) -> list[Tensor]:
        """`[M 3 H W]` normalised -> four maps `[M C h w]`, the largest first."""
        levels = self.net(frames)
        picked = [levels[i] for i in self.picked]
        return [level.permute(0, 3, 1, 2) for level in picked] if self.channels_last else picked

    def shard_blocks(self) -> Iterator[nn.Module]:
        """Parts of its stacks that have parts themselves, but hold no stacks of such."""
        for stack in filter(_is_stack, self.net.modules()):
            for block in filter(_has_parts, stack.children()):
                if not any(map(_is_stack, block.modules())):
                    yield block


def _is_stack(module: nn.Module) -> bool:
    """Whether it calls its children in turn, each as a whole, and these have parts."""
    in_turn = isinstance(module, nn.Sequential | FeatureListNet)
    return in_turn and any(map(_has_parts, module.children()))


def _has_parts(module: nn.Module) -> bool:
    return any(True for _ in module.children())


def _create(name: str) -> Any:
    names = timm.list_models()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else "timm.list_models() names all of them."
        raise UsageError(f"there is no backbone {name!r}", remedy=remedy)
    # Networks of windows refuse sizes other than their own unless told not to.
    sizes: dict[str, Any] = {"strict_img_size": False} if name.startswith("swin") else {}
    return timm.create_model(name, pretrained=False, features_only=True, **sizes)
