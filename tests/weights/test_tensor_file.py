"""Safetensors files of others: read right or refused, every header number checked."""

import json
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch

from vis.errors import DataError
from vis.weights.tensor_file import read_safetensors

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor(3, dtype=torch.int64),
    "c": torch.ones(4, dtype=torch.bfloat16),
    "d": torch.tensor([True, False]),
    "e": torch.empty(0, 5),
}


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_good_files_are_read_right_and_by_value(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"name": "größe"})
    found, metadata = read_safetensors(path)
    path.write_bytes(b"\xff" * path.stat().st_size)
    assert metadata == {"name": "größe"} and found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype


def entry(dtype: object = "F32", shape: object = (1,), place: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


def test_numbers_at_odd_places_are_read(tmp_path: Path) -> None:
    path, number = tmp_path / "x.safetensors", torch.tensor([2.5])
    header = {"a": entry("U8", (1,), (0, 1)), "b": entry(place=(1, 5))}
    path.write_bytes(raw(header, b"\7" + number.numpy().tobytes()))
    assert {name: t.tolist() for name, t in read_safetensors(path)[0].items()} == {
        "a": [7],
        "b": [2.5],
    }


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (raw({"a": entry(place=(0, 8))}, bytes(8)), "malformed"),
        (raw({"a": entry(place=(4, 8))}, bytes(8)), "does not begin"),
        (raw({"a": entry(), "b": entry()}, bytes(4)), "does not begin"),
        (raw({"a": entry(), "b": entry(place=(8, 12))}, bytes(12)), "does not begin"),
        (raw({"a": entry()}, bytes(3)), "3 bytes of numbers"),
        (raw({"a": entry()}, bytes(5)), "5 bytes of numbers"),
        (raw({"a": entry(dtype="F128")}, bytes(4)), "malformed"),
        (raw({"a": entry(shape=(-1, -1))}, bytes(4)), "malformed"),
        (raw({"a": entry(shape=(True,))}, bytes(4)), "malformed"),
        (raw({"a": entry(shape=(1 << 62, 4))}, bytes(4)), "malformed"),
        (raw({"a": entry(place=(0,))}, bytes(4)), "malformed"),
        (raw({"a": 5}), "malformed"),
        (raw({"a": entry("BOOL", (1,), (0, 1))}, b"\2"), "truth values"),
        (raw({"__metadata__": {"a": 1}}), "table of texts"),
        (raw(b'{"a":1,"a":1}'), "twice"),
        (raw(b'{"a":{"dtype":"F32","dtype":"F32"}}'), "twice"),
        (raw(b'{"a":NaN}'), "not JSON"),
        (raw(b'{"a":' + b"[" * 100_000), "nested|damaged"),
        (raw(b"{\xff}"), "damaged"),
        (raw({"\ud800": entry("U8", (1,), (0, 1))}, b"1"), "cannot be read"),
        (raw(b"{}")[:9], "cut short"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "cut short"),
        (b"\x80\x02}.", "torch file"),
        (b"", "empty"),
    ],
)
def test_malformed_headers_are_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_safetensors(path)
    assert str(path) in str(caught.value)


def test_headers_and_tables_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(raw({str(i): entry(shape=(0,), place=(0, 0)) for i in range(20_001)}))
    with pytest.raises(DataError, match="at most 20000"):
        read_safetensors(path)
    path.write_bytes(raw(b"{" + b" " * 10_000_000 + b"}"))
    with pytest.raises(DataError, match="header"):
        read_safetensors(path)


def test_mutations_are_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"name": "x"})
    good, source = path.read_bytes(), random.Random(3)
    refused = 0
    for _ in range(500):
        data = bytearray(good)
        at = source.randrange(len(data))
        data[at : at + source.randrange(3)] = bytes([source.randrange(256)])
        path.write_bytes(data)
        try:
            read_safetensors(path)
        except DataError:
            refused += 1
    assert refused > 400
