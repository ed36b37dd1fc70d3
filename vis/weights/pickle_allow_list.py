"""The names that a pickle of weights may use, and the inert records that they become."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from vis.errors import DataError

MAX_ELEMENTS = 1 << 40
"""Bound on every count, so that products stay far from overflow."""
MAX_AXES = 16


@dataclass(frozen=True, slots=True)
class AllowedName:
    """A name from the allow-list; it stands for nothing that can be called."""

    name: str


@dataclass(slots=True, eq=False)
class Record:
    """An object of a known class as its bare fields, such as an `argparse.Namespace`."""

    kind: str
    fields: dict[str, object] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class DtypeRecord:
    """A numpy number type: a code of `CODES`, little-endian."""

    code: str

    def check(self, state: tuple[object, ...]) -> None:
        """Refuse what numpy's state tuple may add: another byte order, fields, sub-arrays."""
        if len(state) < 5 or state[1] not in ("<", "|", "=") or any(state[2:5]):
            raise DataError("a numpy number type has fields or is not little-endian")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The numpy type that it names."""
        return np.dtype("<" + self.code)


@dataclass(slots=True, eq=False)
class ArrayRecord:
    """A numpy array, empty until its bytes have been checked."""

    array: npt.NDArray[np.generic] | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of numbers that lies outside the pickle."""

    dtype: str
    key: str
    count: int

    @classmethod
    def of(cls, identity: object) -> Storage:
        """From torch's tuple ("storage", type, key, device, count); old files add a None."""
        match identity:
            case ("storage", AllowedName(name), str(key), str(), int(count), *rest) if (
                name in STORAGES and rest in ([], [None]) and 0 <= count < MAX_ELEMENTS
            ):
                return cls(STORAGES[name], key, count)
        raise DataError("it points to something that is not a torch storage")


@dataclass(frozen=True, slots=True, eq=False)
class TensorRecord:
    """A view of a storage, inside its bounds; counts are in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]


STORAGES = {
    "torch.FloatStorage": "float32",
    "torch.DoubleStorage": "float64",
    "torch.HalfStorage": "float16",
    "torch.BFloat16Storage": "bfloat16",
    "torch.LongStorage": "int64",
    "torch.IntStorage": "int32",
    "torch.ShortStorage": "int16",
    "torch.CharStorage": "int8",
    "torch.ByteStorage": "uint8",
    "torch.BoolStorage": "bool",
}
CODES = frozenset(["b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])


def key_of(value: object) -> str | int | float | None:
    """`value` as a dictionary key or set member: deep tuples would overflow when hashed."""
    if value is None or isinstance(value, str | int | float):
        return value
    raise DataError(f"the pickle uses a {type(value).__name__} as a key")


def fill_array(record: ArrayRecord, state: tuple[object, ...]) -> None:
    """Give `record` its numbers from numpy's state (version, shape, dtype, column order, bytes)."""
    match state:
        case (int(), tuple(shape), DtypeRecord() as kind, bool(column_major), raw):
            record.array = _array(raw, kind, shape, "F" if column_major else "C")
        case _:
            raise DataError("a numpy array is described in an unknown way")


def _array(raw: object, kind: DtypeRecord, shape: object, order: object) -> npt.NDArray[np.generic]:
    data = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw
    if not isinstance(data, bytes | bytearray) or order not in ("C", "F"):
        raise DataError("a numpy array's content is not plain bytes")
    sizes = _counts(shape)
    if math.prod(sizes) * kind.dtype.itemsize != len(data):
        raise DataError(f"a numpy array of shape {sizes} holds {len(data)} bytes")
    numbers = np.frombuffer(data, kind.dtype)
    # a truth value of another byte is undefined in numpy's and torch's compiled code
    if kind.code == "b1" and (numbers.view(np.uint8) > 1).any():
        raise DataError("a numpy array of truth values holds other bytes than 0 and 1")
    return numbers.reshape(sizes, order="C" if order == "C" else "F")


def _counts(values: object) -> tuple[int, ...]:
    if not isinstance(values, tuple) or len(values) > MAX_AXES:
        raise DataError(f"a shape is not a tuple of at most {MAX_AXES} numbers")
    if not all(type(value) is int and 0 <= value < MAX_ELEMENTS for value in values):
        raise DataError(f"a shape holds something else than numbers from 0 to {MAX_ELEMENTS}")
    return values


def _namespace(arguments: tuple[object, ...]) -> Record:
    if arguments:
        raise DataError("a namespace is made from arguments")
    return Record("argparse.Namespace")


def _mapping(arguments: tuple[object, ...]) -> dict[object, object]:
    """OrderedDict(), OrderedDict([[key, value], ...]), Counter({...}) or defaultdict(name)."""
    match arguments:
        case () | (AllowedName(),) | (None,):
            return {}
        case (dict() as items,):
            return items
        case (list() as pairs,) if all(
            isinstance(pair, list | tuple) and len(pair) == 2 and isinstance(pair[0], str)
            for pair in pairs
        ):
            return {pair[0]: pair[1] for pair in pairs if isinstance(pair, list | tuple)}
    raise DataError("a dictionary is made in an unknown way")


def _set(arguments: tuple[object, ...]) -> set[object]:
    match arguments:
        case (list() as members,):
            return {key_of(member) for member in members}
    raise DataError("a set is made in an unknown way")


def _encode(arguments: tuple[object, ...]) -> bytes:
    """Protocol 2 writes bytes as text and its encoding."""
    match arguments:
        case (str(text), "latin1" | "latin-1") if all(ord(letter) < 256 for letter in text):
            return text.encode("latin-1")
    raise DataError("bytes are written in an unknown encoding")


def _size(arguments: tuple[object, ...]) -> tuple[int, ...]:
    if len(arguments) != 1:
        raise DataError("a torch.Size is made in an unknown way")
    return _counts(arguments[0])


def _device(arguments: tuple[object, ...]) -> Record:
    # where it was trained tells nothing here: a text suffices
    name = ":".join(str(part) for part in arguments if isinstance(part, str | int))
    return Record("torch.device", {"name": name})


def _tensor(arguments: tuple[object, ...]) -> TensorRecord:
    match arguments:
        case (Storage() as storage, int(offset), shape, stride, *_) if 0 <= offset < MAX_ELEMENTS:
            sizes, steps = _counts(shape), _counts(stride)
        case _:
            raise DataError("a tensor is described in an unknown way")
    if len(sizes) != len(steps):
        raise DataError("a tensor has not as many strides as axes")
    elements = math.prod(sizes)
    last = sum((size - 1) * step for size, step in zip(sizes, steps, strict=True))
    if offset + (last + 1 if elements else 0) > storage.count:
        raise DataError(f"a tensor of shape {sizes} reaches beyond its storage of {storage.count}")
    # a stride of 0 would make terabytes of one number
    if elements > storage.count:
        raise DataError(f"a tensor of shape {sizes} expands a storage of {storage.count}")
    return TensorRecord(storage, offset, sizes, steps)


def _parameter(arguments: tuple[object, ...]) -> TensorRecord:
    if not arguments or not isinstance(arguments[0], TensorRecord):
        raise DataError("a parameter is made of something that is not a tensor")
    return arguments[0]


def _dtype(arguments: tuple[object, ...]) -> DtypeRecord:
    code = arguments[0] if arguments else None
    if not isinstance(code, str) or code not in CODES:
        name = code[:20] if isinstance(code, str) else type(code).__name__
        raise DataError(f"a numpy array or number is of type {name!r}; only plain numbers are read")
    return DtypeRecord(code)


def _scalar(arguments: tuple[object, ...]) -> object:
    match arguments:
        case (DtypeRecord() as kind, raw):
            number: object = _array(raw, kind, (), "C").item()
            return number
    raise DataError("a numpy number is described in an unknown way")


def _empty_array(_: tuple[object, ...]) -> ArrayRecord:
    return ArrayRecord()


def _buffer_array(arguments: tuple[object, ...]) -> ArrayRecord:
    match arguments:
        case (raw, DtypeRecord() as kind, shape, order):
            return ArrayRecord(_array(raw, kind, shape, order))
    raise DataError("a numpy array is described in an unknown way")


Build = Callable[[tuple[object, ...]], object]

ALLOW_LIST: dict[str, Build | None] = {
    "argparse.Namespace": _namespace,
    "types.SimpleNamespace": _namespace,
    "collections.OrderedDict": _mapping,
    "collections.Counter": _mapping,
    "collections.defaultdict": _mapping,
    "builtins.set": _set,
    "__builtin__.set": _set,
    "_codecs.encode": _encode,
    "torch.Size": _size,
    "torch.device": _device,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "numpy.dtype": _dtype,
    "numpy.ndarray": None,
    **dict.fromkeys(STORAGES),
    **{f"torch.{name}": None for name in STORAGES.values()},
    **{f"builtins.{name}": None for name in ("dict", "float", "int", "list")},
    **{f"__builtin__.{name}": None for name in ("dict", "float", "int", "list")},
    **{f"numpy.{core}.multiarray.scalar": _scalar for core in ("core", "_core")},
    **{f"numpy.{core}.multiarray._reconstruct": _empty_array for core in ("core", "_core")},
    **{f"numpy.{core}.numeric._frombuffer": _buffer_array for core in ("core", "_core")},
}
"""Every name a weight file may use -> how its arguments become a record; None: it is only named."""
