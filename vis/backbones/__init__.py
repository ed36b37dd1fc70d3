"""A frame in, four maps out: ResNets of torchvision, our Twins, Swin and DAT, anything of timm.

Nothing is downloaded here: weights come from the caller.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.backbones.dat import DAT, DATS
from vis.backbones.resnet import RESNETS, ResNet
from vis.backbones.swin import SWINS, Swin
from vis.backbones.twins import TWINS, Twins
from vis.errors import DeviceError

if TYPE_CHECKING:
    from vis.backbones.levels import Backbone


def build(name: str) -> Backbone:
    """The backbone of this name, with fresh weights.

    Args:
        name: `resnet18` ... `resnext101_32x8d`, `twins_svt_small`, `twins_svt_base`,
            `twins_svt_large`, `swin_tiny` ... `swin_large`, `dat_tiny`, `dat_base`, or any network
            of timm with levels of strides 4, 8, 16 and 32.

    Raises:
        UsageError: there is no such network, or it lacks one of the levels.
        DeviceError: the network is timm's, and timm is not installed.
    """
    if name in RESNETS:
        return ResNet(name)
    if name in TWINS:
        return Twins(TWINS[name])
    if name in SWINS:
        return Swin(SWINS[name])
    if name in DATS:
        return DAT(DATS[name])
    try:
        from vis.backbones.timm_levels import TimmLevels
    except ModuleNotFoundError as error:
        if error.name != "timm":
            raise
        ours = ", ".join((*RESNETS, *TWINS, *SWINS, *DATS))
        raise DeviceError(
            f"backbone {name!r} needs timm, which is not installed",
            remedy=f"Run `pip install timm`, or choose one of {ours}.",
        ) from error
    return TimmLevels(name)
