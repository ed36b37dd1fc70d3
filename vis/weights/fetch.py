"""ImageNet weights of backbones: taken from the user's folder, fetched only at the user's word."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from vis.backbones.resnet import DILATED, MSRA, RESNETS
from vis.errors import DataError, InputError, OutputError, UsageError, VisError

if TYPE_CHECKING:
    from http.client import HTTPMessage

MAX_BYTES = 8 << 30
WAIT = 30.0
"""Seconds without an answer."""
BLOCK = 1 << 20


def weights_folder() -> Path:
    """Where weights are looked for by name: `$VIS_WEIGHTS`, or `vis` in the user's cache folder."""
    stated = os.environ.get("VIS_WEIGHTS")
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
    """
    address = _address(backbone)
    folder = weights_folder()
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
    part = folder / f".{secrets.token_hex(8)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                stated, found = _transfer(address, file)
            if not found.startswith(stated):
                what = f"what came has sha256 {found[:16]}..., not {stated[:16]}..."
                raise DataError(what, where=address, done="It was thrown away.")
            return part.replace(folder / f"{name}-{found[:16]}{Path(address).suffix}")
        finally:
            part.unlink(missing_ok=True)
    except VisError:
        raise
    except OSError as error:
        raise OutputError(f"cannot be written ({error})", where=str(folder)) from None


def _address(backbone: str) -> str:
    """Where the weights that detectors start from are published."""
    if backbone.endswith(MSRA):
        raise UsageError(
            f"nobody publishes weights of {backbone!r} in a form that is read here",
            remedy=f"Train from nothing, or take {backbone.removesuffix(MSRA)!r}.",
        )
    if backbone in RESNETS:
        import torchvision

        known = torchvision.models.get_model_weights(backbone.removesuffix(DILATED))
        return str(known["IMAGENET1K_V1"].url)
    import timm

    from vis.backbones.timm_levels import LEARNING

    published = timm.models.get_pretrained_cfg(backbone.removesuffix(LEARNING))
    if published is None or not published.hf_hub_id:
        raise UsageError(f"timm publishes no weights of {backbone!r}")
    return f"https://huggingface.co/{published.hf_hub_id}/resolve/main/model.safetensors"


def _verified(path: Path, digits: str) -> Path:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    if not digest.hexdigest().startswith(digits):
        what = "its sha256 is not the one in its name: it is damaged or not what it was"
        raise DataError(what, where=str(path), remedy="Delete it and fetch it again.")
    return path


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows to https alone, and keeps the hash that Hugging Face states while redirecting."""

    stated = ""

    def redirect_request(
        self, req: Any, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        """Urllib's hook: the request that follows a redirect."""
        if not newurl.startswith("https://"):
            raise urllib.error.URLError(f"it redirects to {newurl[:100]}, which is not https")
        self.stated = self.stated or headers.get("X-Linked-ETag", "").strip('"')
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _transfer(address: str, file: IO[bytes]) -> tuple[str, str]:
    """Copy what lies at `address` to `file`; its stated and its true sha256, in hexadecimal."""
    assert address.startswith("https://")
    redirects = _Redirects()
    digest, size = hashlib.sha256(), 0
    try:
        with urllib.request.build_opener(redirects).open(address, timeout=WAIT) as answer:
            while block := answer.read(BLOCK):
                size += len(block)
                if size > MAX_BYTES:
                    raise urllib.error.URLError(f"it has more than {MAX_BYTES} bytes")
                digest.update(block)
                file.write(block)
    except (urllib.error.URLError, TimeoutError, ConnectionError, HTTPException) as error:
        remedy = "Is there a network? Or fetch it by other means and give its path."
        raise InputError(f"it cannot be fetched ({error})", where=address, remedy=remedy) from None
    named = re.search(r"-([0-9a-f]{8,64})\.\w+$", address)  # torchvision states it in the name
    stated = named[1] if named else redirects.stated
    if not re.fullmatch(r"[0-9a-f]{8,64}", stated):
        raise InputError("nobody states its sha256, so it is not trusted", where=address)
    return stated, digest.hexdigest()
