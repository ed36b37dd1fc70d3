"""Open a published checkpoint (torch's zip and legacy formats, plain pickles) and run nothing."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import torch
from torch import Tensor

from vis.errors import DataError
from vis.weights.pickle_allow_list import ArrayRecord, Storage, TensorRecord
from vis.weights.restricted_unpickler import read_pickle
from vis.weights.sniff import kind_of, open_regular

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAX_FILE = 16 << 30
MAX_PICKLE = 64 << 20
"""Bytes of the pickle inside a zip, where the numbers lie beside it."""
MAX_ENTRIES = 100_000
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
SECTIONS = ("model", "state_dict", "model_state_dict", "module")
"""Where checkpoints keep their parameters, in order of preference."""

Storages = dict[str, bytearray]


@dataclass(frozen=True, slots=True)
class HubNotes:
    """The settings beside weights in a folder of transformers, as they stand there."""

    config: dict[str, Any]
    preprocessor: dict[str, Any]
    """Empty where there is none."""


@dataclass(frozen=True, slots=True)
class Published:
    """The content of a foreign checkpoint."""

    tensors: dict[str, Tensor]
    metadata: dict[str, object]
    """The rest as plain values and inert records (`vis.weights.pickle_allow_list`)."""
    format: str
    hub: HubNotes | None = None
    """Of a folder as transformers saves it."""


def read_published(path: str | Path) -> Published:
    """Read a `.pth`, `.pt` or `.pkl`; the kind is found from the content, never from the suffix.

    Raises:
        InputError: the file is missing or no regular file.
        DataError: it is not a checkpoint, is damaged, or asks for anything but numbers.
    """
    with open_regular(path) as file:
        try:
            return _read(file)
        except DataError as error:
            raise error.at(str(path)) from None


def _read(file: IO[bytes]) -> Published:
    kind = kind_of(file.read(512))
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size > MAX_FILE:
        raise DataError(f"the file has {size} bytes; at most {MAX_FILE} are read")
    if kind == "safetensors":
        raise DataError("it is a safetensors file, not a torch file")
    if kind == "zip":
        return _read_zip(file, size)
    stream = io.BytesIO(file.read())
    root, _ = read_pickle(stream)
    if type(root) is int and root == LEGACY_MAGIC:
        return _read_legacy(stream)
    if stream.tell() != size:
        raise DataError(f"{size - stream.tell()} bytes follow the pickle")
    return _published(root, {}, size, "pickle")


def _read_zip(file: IO[bytes], size: int) -> Published:
    entries = _entries(file, size)
    names = [name for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if any(name.endswith("/constants.pkl") for name in entries):
        raise DataError("it is a TorchScript archive, which holds a program, not only weights")
    if len(names) != 1:
        raise DataError("it is a zip archive, but not one of torch (no data.pkl)")
    folder = names[0].removesuffix("data.pkl")
    order = bytes(entries.get(f"{folder}byteorder", b"little"))
    if order != b"little":
        raise DataError(f"its numbers are stored in {order[:20]!r} byte order; only little is read")
    if len(entries[names[0]]) > MAX_PICKLE:
        raise DataError(f"its pickle has more than {MAX_PICKLE} bytes")
    stream = io.BytesIO(entries[names[0]])
    root, storages = read_pickle(stream)
    if stream.read(1):
        raise DataError("bytes follow the pickle")
    data = {key: entries.get(f"{folder}data/{key}") for key in storages}
    return _published(root, _checked(storages, data), size, "torch zip")


def _entries(file: IO[bytes], size: int) -> Storages:
    """Every entry of the archive, its checksum verified, before any is interpreted."""
    try:
        # read whole: only then zipfile compares an entry with its checksum
        with zipfile.ZipFile(file) as archive:
            listed = archive.infolist()
            _check_listed(listed, size)
            return {entry.filename: bytearray(archive.read(entry)) for entry in listed}
    except zipfile.BadZipFile as error:
        raise DataError(f"the file is damaged or cut short ({error})", remedy=_AGAIN) from None
    except (RuntimeError, EOFError, ValueError, OverflowError, struct.error, OSError) as error:
        reason = str(error) or "it ends early"
        raise DataError(f"the zip archive is damaged ({reason})", remedy=_AGAIN) from None


_AGAIN = "Fetch the file again."


def _check_listed(listed: list[zipfile.ZipInfo], size: int) -> None:
    """The archive must be what torch writes: stored, not compressed, so no larger than its file."""
    if len(listed) > MAX_ENTRIES or len({entry.filename for entry in listed}) != len(listed):
        raise DataError("the zip archive has too many entries, or two of one name")
    for entry in listed:
        if entry.compress_type != zipfile.ZIP_STORED or entry.file_size != entry.compress_size:
            raise DataError(
                f"the archive's entry {entry.filename!r} is compressed; torch never does that",
                remedy="Somebody packed the file anew: fetch the original.",
            )
    if sum(entry.file_size for entry in listed) > size:
        raise DataError("the archive's entries overlap")


def _read_legacy(stream: io.BytesIO) -> Published:
    """Torch before 1.6: five pickles, then each storage as a count and its numbers."""
    protocol, _ = read_pickle(stream)
    system, _ = read_pickle(stream)
    if protocol != LEGACY_PROTOCOL or not isinstance(system, dict):
        raise DataError("it is a legacy torch file of an unknown protocol")
    if system.get("little_endian") is not True:
        raise DataError("its numbers are not little-endian")
    root, storages = read_pickle(stream)
    keys, _ = read_pickle(stream)
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise DataError("its list of storages is malformed")
    if len(set(keys)) != len(keys) or set(keys) != set(storages):
        raise DataError("its list of storages does not fit its pickle")
    data = {key: _read_storage(stream, storages[key]) for key in keys}
    if stream.read(1):
        raise DataError("bytes follow the last storage")
    size = stream.tell()
    return _published(root, _checked(storages, data), size, "torch legacy")


def _read_storage(stream: io.BytesIO, storage: Storage) -> bytearray | None:
    count = int.from_bytes(stream.read(8), "little")
    if count != storage.count:
        raise DataError(f"storage {storage.key[:40]!r} states {count} numbers, not {storage.count}")
    return bytearray(stream.read(count * _type(storage).itemsize))


def _checked(storages: Mapping[str, Storage], data: Mapping[str, bytearray | None]) -> Storages:
    """`data` if every storage has exactly the bytes that the pickle promises."""
    checked: Storages = {}
    for key, storage in storages.items():
        content = data[key]
        if content is None:
            raise DataError(f"storage {key[:40]!r} is missing")
        promised = storage.count * _type(storage).itemsize
        if len(content) != promised:
            raise DataError(f"storage {key[:40]!r} has {len(content)} bytes, not {promised}")
        if storage.dtype == "bool" and content.translate(None, b"\0\1"):
            raise DataError(f"storage {key[:40]!r} of truth values holds other bytes than 0 and 1")
        checked[key] = content
    return checked


def _type(storage: Storage) -> torch.dtype:
    dtype: torch.dtype = getattr(torch, storage.dtype)
    return dtype


def _published(root: object, data: Storages, size: int, form: str) -> Published:
    """Divide the file's one value into its parameters and the rest."""
    if not isinstance(root, dict):
        raise DataError(f"it holds a {type(root).__name__}, not a dictionary of parameters")
    section = next((name for name in SECTIONS if _has_tensors(root.get(name))), None)
    parameters = root[section] if section else root
    rest = {str(key): value for key, value in root.items() if key != section}
    tensors = {key: value for key, value in parameters.items() if _is_tensor(value)}
    if not tensors:
        keys = ", ".join(str(key)[:40] for key in list(root)[:10])
        raise DataError(f"it holds no dictionary of tensors; its keys are: {keys or 'none'}")
    others = sorted(str(key) for key in parameters if key not in tensors)
    if section and others:
        raise DataError(f"{section}[{others[0][:60]!r}] is not a tensor")
    if not all(isinstance(key, str) for key in tensors):
        raise DataError("a parameter's name is not a text")
    arrays = [
        v.array for v in tensors.values() if isinstance(v, ArrayRecord) and v.array is not None
    ]
    if sum(array.nbytes for array in arrays) > size:
        raise DataError("its arrays are larger together than the file")
    metadata = {key: value for key, value in rest.items() if not _is_tensor(value)}
    return Published({str(k): _tensor(v, data) for k, v in tensors.items()}, metadata, form)


def _has_tensors(value: object) -> bool:
    return isinstance(value, dict) and any(_is_tensor(v) for v in value.values())


def _is_tensor(value: object) -> bool:
    return isinstance(value, TensorRecord) or (
        isinstance(value, ArrayRecord) and value.array is not None
    )


def _tensor(value: object, data: Storages) -> Tensor:
    if isinstance(value, ArrayRecord):
        return torch.tensor(value.array)
    assert isinstance(value, TensorRecord)
    dtype = _type(value.storage)
    content = data[value.storage.key]
    # a view on the file's own bytes: tensors that shared a storage share it here too
    flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
    return flat.as_strided(value.shape, value.stride, value.offset)
