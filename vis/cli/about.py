"""What a bug report needs to know of a machine: versions, devices, in one block to paste."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from vis.version import __version__

_LIBRARIES = (
    *("torch", "torchvision", "av", "numpy", "scipy", "pillow", "timm", "einops", "safetensors"),
    *("pycocotools", "jsonargparse", "pyyaml"),
)
_OPTIONAL = ("decord", "torchcodec", "ray", "supervision", "fiftyone", "tensorboard", "gradio")


def about() -> str:
    """Lines `name: value`: no path, host or user is among them."""
    facts = {
        "vis": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processors": str(os.cpu_count()),
    }
    facts |= {name: _version(name) or "missing" for name in _LIBRARIES}
    facts["ffmpeg"] = _ffmpeg()
    facts["gpu"] = _gpu()
    optional = [f"{name} {number}" for name in _OPTIONAL if (number := _version(name))]
    facts["optional"] = ", ".join(optional) or "none"
    facts["locale"] = f"{sys.getfilesystemencoding()}, stdout {sys.stdout.encoding}"
    width = max(map(len, facts))
    return "".join(f"{name + ':':<{width + 1}} {value}\n" for name, value in facts.items())


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _ffmpeg() -> str:
    try:
        from av import library_versions
    except (ImportError, OSError) as error:
        return f"cannot be loaded ({error})"
    parts = (f"{name} {'.'.join(map(str, number))}" for name, number in library_versions.items())
    return ", ".join(sorted(parts))


def _gpu() -> str:
    try:
        import torch
    except (ImportError, OSError) as error:
        return f"torch cannot be loaded ({error})"
    if not torch.cuda.is_available():
        return f"none (torch is built for CUDA {torch.version.cuda or 'not at all'})"
    names = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    return f"{', '.join(names)} (CUDA {torch.version.cuda})"
