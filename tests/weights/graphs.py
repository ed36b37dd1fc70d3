"""Frozen graphs written byte by byte: as much of protobuf's wire format as a variable needs."""

from __future__ import annotations

import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = "ssd_mobilenet_v2_coco_2018_03_29"
NAME = f"{FOLDER}/frozen_inference_graph.pb"


def varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes(found) + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    """A number, or bytes with their length before them."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def attribute(key: str, value: bytes) -> bytes:
    return field(5, field(1, key.encode()) + field(2, value))


def node(name: str, op: str, *attributes: bytes) -> bytes:
    return field(1, field(1, name.encode()) + field(2, op.encode()) + b"".join(attributes))


def tensor(values: np.ndarray) -> bytes:
    """TensorProto with packed content."""
    shape = b"".join(field(2, field(1, side)) for side in values.shape)
    content = values.astype("<f4").tobytes()
    return field(1, 1) + field(2, shape) + field(4, content)


def constant(name: str, held: bytes) -> bytes:
    return node(name, "Const", attribute("dtype", field(6, 1)), attribute("value", field(8, held)))


def variable(name: str, held: bytes) -> bytes:
    """A constant and the node that reads it."""
    return constant(name, held) + node(f"{name}/read", "Identity")


def graph(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Variables beside what else a graph has: an input, a plain constant, versions."""
    first = node("image_tensor", "Placeholder", attribute("dtype", field(6, 4)))
    plain = constant("grid", tensor(np.zeros(3)))
    rest = b"".join(variable(name, tensor(values)) for name, values in tensors.items())
    return first + plain + rest + field(4, field(1, 26))


def archive(members: Mapping[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """A `.tar.gz`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for entry in extra:
            tar.addfile(entry)
    return gzip.compress(buffer.getvalue(), 1)
