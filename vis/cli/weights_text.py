"""What a weight file holds, as `vis weights` says it."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vis.weights import ModelMetadata, Summary


def start_with(settings: dict[str, object], file: str) -> str:
    """How a model is started from a backbone's file."""
    name = settings.get("name")
    return f"a backbone: vis train ... --model.backbone {name} --model.init_from {file}"


def origin(metadata: ModelMetadata) -> list[str]:
    """Where it was published, and what its preprocessor says, where it came with that."""
    lines = [f"{key:<9} {value}" for key, value in metadata.origin.items()]
    if metadata.pixels.resize is not None:
        stated = {key: v for key, v in asdict(metadata.pixels.resize).items() if v}
        paper = f"{metadata.size} as the paper; " if metadata.size else ""
        lines.append(f"size      {paper}with --preprocess hub {pairs(stated)}")
    return lines


def types(summary: Summary) -> str:
    """How many numbers of each type, the most first."""
    counts: Counter[str] = Counter()
    for shape, dtype in summary.tensors.values():
        counts[str(dtype).removeprefix("torch.")] += math.prod(shape)
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common())


def parts(summary: Summary) -> list[str]:
    """One line for all tensors whose names begin alike."""
    parts = Counter(".".join(name.split(".")[:2]) for name in summary.tensors)
    return [f"{count:>6} tensors  {part}" for part, count in parts.items()]


def every(summary: Summary) -> list[str]:
    """One line for each tensor."""
    return [
        f"{str(dtype).removeprefix('torch.'):<9} {list(shape)!s:<22} {name}"
        for name, (shape, dtype) in summary.tensors.items()
    ]


def pairs(settings: dict[str, object]) -> str:
    """Settings in one line."""
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in settings.items())
