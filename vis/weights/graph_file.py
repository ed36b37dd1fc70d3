"""The variables of a frozen TensorFlow graph, read as what it is: a protobuf message; nothing runs.

The wire format is https://protobuf.dev/programming-guides/encoding. Of its messages, GraphDef has
`node` = 1; NodeDef `name` = 1, `op` = 2, `attr` = 5 (a map: key 1, value 2); AttrValue has
`tensor` = 8; TensorProto `dtype` = 1, `tensor_shape` = 2 (`dim` = 2, its `size` = 1) and
`tensor_content` = 4.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

import torch

from vis.errors import DataError
from vis.weights.sniff import open_regular
from vis.weights.torch_file import Published

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import Tensor

MAX_FILE = 2 << 30
"""Bytes: protobuf allows no message to be longer."""
MAX_NODES = 200_000
MAX_FIELDS = 1_000_000
"""Of one message; a graph has as many as nodes."""
MAX_AXES = 8
FLOAT = 1
"""Number of float32 among TensorFlow's types; the variables of a detector have no other."""
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
"""Wire types."""
READ = "/read"
"""End of the name of the node that reads a variable, which a plain constant has not."""

Field = tuple[int, int | memoryview]


def read_graph(path: str | Path) -> Published:
    """The variables of a frozen graph by their names there, in TensorFlow's layouts.

    Raises:
        InputError: it cannot be opened.
        DataError: it is no graph, is damaged, or has no variables.
    """
    try:
        with open_regular(path) as file:
            # asked before: the buffer of `read(n)` has n bytes from the start, however few come
            if os.fstat(file.fileno()).st_size > MAX_FILE:
                raise DataError(f"the file has more than {MAX_FILE} bytes")
            return graph_of(memoryview(file.read()))
    except DataError as error:
        raise error.at(str(path)) from None


def graph_of(message: memoryview) -> Published:
    """The variables of a frozen graph that is in memory, as `read_graph` has them.

    Raises:
        DataError: it is no graph, is damaged, or has no variables.
    """
    return Published(_variables(message), {}, "tensorflow graph")


def looks_like_graph(head: bytes) -> bool:
    """Whether a file's first bytes are those of a graph: a node, and in it a name."""
    try:
        message = memoryview(head)
        key, start = _varint(message, 0)
        length, start = _varint(message, start)
        inner, start = _varint(message, start)
        name, start = _varint(message, start)
    except DataError:
        return False
    if key != (1 << 3 | BYTES) or inner != key or not 0 < name < length:
        return False
    text = head[start : start + name]
    return text.isascii() and all(32 < byte < 127 for byte in text)


def _variables(message: memoryview) -> dict[str, Tensor]:
    constants: dict[str, memoryview] = {}
    read: set[str] = set()
    nodes = 0
    for number, value in _fields(message):
        if number != 1 or isinstance(value, int):
            continue
        nodes += 1
        if nodes > MAX_NODES:
            raise DataError(f"the graph has more than {MAX_NODES} nodes")
        name, kind, tensor = _node(value)
        if kind == "Const" and tensor is not None:
            if name in constants:
                raise DataError(f"two nodes are called {name!r:.80}")
            constants[name] = tensor
        elif kind == "Identity" and name.endswith(READ):
            read.add(name.removesuffix(READ))
    variables = {name: _tensor(name, value) for name, value in constants.items() if name in read}
    if not variables:
        raise DataError(
            "it is a graph without variables",
            remedy="Give the frozen graph (frozen_inference_graph.pb).",
        )
    return variables


def _node(message: memoryview) -> tuple[str, str, memoryview | None]:
    """Name, operation and, where it has one, the message of its `value`."""
    name = kind = ""
    tensor = None
    for number, value in _fields(message):
        if isinstance(value, int):
            continue
        if number == 1:
            name = _text(value)
        elif number == 2:
            kind = _text(value)
        elif number == 5:
            tensor = _value(value) or tensor
    return name, kind, tensor


def _value(message: memoryview) -> memoryview | None:
    """The tensor of an entry of a node's attributes, if it is the one called `value`."""
    entry = dict(_fields(message))
    key, attribute = entry.get(1), entry.get(2)
    if isinstance(key, int) or isinstance(attribute, int) or key is None or attribute is None:
        return None
    tensor = dict(_fields(attribute)).get(8) if _text(key) == "value" else None
    return tensor if isinstance(tensor, memoryview) else None


def _tensor(name: str, message: memoryview) -> Tensor:
    fields = dict(_fields(message))
    shape, content = fields.get(2, memoryview(b"")), fields.get(4)
    if fields.get(1) != FLOAT or isinstance(shape, int):
        raise DataError(f"variable {name!r:.80} is not of float32 numbers")
    if not isinstance(content, memoryview) or not len(content):
        raise DataError(
            f"variable {name!r:.80} has single numbers (float_val) or none, no tensor_content",
            remedy="Freeze the graph anew: TensorFlow packs all variables of more than one number.",
        )
    sides = [
        dict(_fields(dim)).get(1, 0)
        for n, dim in _fields(shape)
        if n == 2 and not isinstance(dim, int)
    ]
    whole = [side for side in sides[:MAX_AXES] if isinstance(side, int) and side < 1 << 40]
    if len(whole) != len(sides) or 4 * math.prod(whole) != len(content):
        what = f"has {len(content)} bytes for the shape {sides[:MAX_AXES]}"
        raise DataError(f"variable {name!r:.80} {what}")
    # a copy: torch takes no read-only memory, and the whole file would stay alive behind a view
    return torch.frombuffer(bytearray(content), dtype=torch.float32).reshape(whole)


def _fields(message: memoryview) -> Iterator[Field]:
    """Number and value of each field of a message, in their order.

    Raises:
        DataError: the message is damaged.
    """
    at = count = 0
    while at < len(message):
        count += 1
        if count > MAX_FIELDS:
            raise DataError(f"a message of the graph has more than {MAX_FIELDS} fields")
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        length = {FIXED64: 8, FIXED32: 4}.get(kind)
        if kind == BYTES:
            length, at = _varint(message, at)
        if length is None or at + length > len(message):
            raise DataError("it is no graph of TensorFlow, or cut short")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, the lowest first, and where the next begins."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise DataError("it is no graph of TensorFlow, or cut short")


def _text(value: memoryview) -> str:
    try:
        return bytes(value).decode()
    except UnicodeDecodeError:
        raise DataError("a node's name is not text") from None
