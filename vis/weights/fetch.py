"""ImageNet weights of backbones: taken from the user's folder, fetched only at the user's word."""

from __future__ import annotations

import os
import re
from pathlib import Path

from vis.backbones.resnet import DILATED, MSRA, RESNETS, plain_name
from vis.errors import DataError, InputError, OutputError, UsageError
from vis.weights.digest import Digest, sums_of
from vis.weights.download import download
from vis.weights.sniff import open_regular


def weights_folder() -> Path:
    """Where weights are looked for by name: `$VIS_HOME`, or `vis` in the user's cache folder."""
    stated = os.environ.get("VIS_HOME")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(stated) if stated else cache / "vis"


def imagenet_file(backbone: str, *, download: bool) -> Path:
    """The file with a backbone's ImageNet weights, its name ending in the start of its sha256.

    Args:
        backbone: a name of `vis.backbones.build`.
        download: whether it may be fetched where it is not there.

    Raises:
        UsageError: nobody publishes weights of this backbone.
        InputError: it is not there and may not, or cannot, be fetched.
        DataError: it is not what its name or its server says.
        OutputError: it cannot be written.
    """
    address = _address(backbone)
    folder = weights_folder()
    # of several the first by name, whatever order the disk lists them in
    for path in sorted(folder.glob(f"{backbone}-*{Path(address).suffix}")):
        digits = path.stem.removeprefix(f"{backbone}-")
        if re.fullmatch(r"[0-9a-f]{8,64}", digits):
            return _verified(path, digits)
    if not download:
        raise InputError(
            f"the ImageNet weights of {backbone} are not in {folder}",
            done="Nothing was fetched, as nobody said to.",
            remedy=f"Allow the download, or fetch {address} and give its path.",
        )
    return fetch(address, folder, backbone)


def fetch(address: str, folder: Path, name: str) -> Path:
    """Fetch a file over https into `folder` as `NAME-SHA256` and check it against its stated hash.

    Raises:
        InputError: it cannot be fetched, or nobody states its hash.
        DataError: it is not what was promised.
        OutputError: it cannot be written.
    """
    match = re.search(r"-([0-9a-f]{8,64})\.\w+$", address)  # torchvision states it in the name
    stated = [Digest("sha256", match[1])] if match else []
    ending = Path(address).suffix
    place = folder / f"{name}{ending}"
    sums = download(address, place, stated=stated)
    try:
        return place.replace(folder / f"{name}-{sums.sha256[:16]}{ending}")
    except OSError as error:
        raise OutputError(f"cannot be written ({error})", where=str(folder)) from None


SWINS_OF_TIMM = {
    "swin_tiny": "swin_tiny_patch4_window7_224.ms_in1k",
    "swin_small": "swin_small_patch4_window7_224.ms_in1k",
    "swin_base": "swin_base_patch4_window12_384.ms_in22k",
    "swin_large": "swin_large_patch4_window12_384.ms_in22k",
}
"""Our names -> what Mask2Former starts from."""


def _address(backbone: str) -> str:
    """Where the weights that detectors start from are published."""
    if MSRA in backbone:
        raise UsageError(
            f"nobody publishes weights of {backbone!r} in a form that is read here",
            remedy=f"Train from nothing, or take {plain_name(backbone)!r}.",
        )
    if backbone in RESNETS:
        import torchvision

        variants = torchvision.models.get_model_weights(backbone.removesuffix(DILATED))
        return str(variants["IMAGENET1K_V1"].url)
    import timm

    from vis.backbones.timm_levels import LEARNING

    name = SWINS_OF_TIMM.get(backbone, backbone.removesuffix(LEARNING))
    published = timm.models.get_pretrained_cfg(name)
    if published is None or not published.hf_hub_id:
        raise UsageError(f"timm publishes no weights of {backbone!r}")
    return f"https://huggingface.co/{published.hf_hub_id}/resolve/main/model.safetensors"


def _verified(path: Path, digits: str) -> Path:
    with open_regular(path) as file:
        sums = sums_of(file)
    if not sums.sha256.startswith(digits):
        what = "its sha256 is not the one in its name: it is damaged or not what it was"
        raise DataError(what, where=str(path), remedy="Delete it and fetch it again.")
    return path
