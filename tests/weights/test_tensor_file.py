"""The safetensors format: equal to the reference library's, every header number checked."""

import json
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor

from vis.errors import DataError
from vis.weights.tensor_file import file_bytes, header_bytes, read_safetensors

TENSORS = {
    "a": torch.arange(6.0).reshape(2, 3),
    "b": torch.tensor(3, dtype=torch.int64),
    "c": torch.ones(4, dtype=torch.bfloat16),
    "d": torch.tensor([True, False]),
    "e": torch.empty(0, 5),
}


def written(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> Path:
    path.write_bytes(file_bytes(header_bytes(tensors, metadata), tensors))
    return path


def raw(header: object, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def test_the_reference_library_reads_what_we_write(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", TENSORS, {"name": "größe"})
    found = safetensors.torch.load_file(path)
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in TENSORS.items())
    with safetensors.safe_open(path, "pt") as opened:
        assert opened.metadata() == {"name": "größe"}


def test_we_read_what_the_reference_library_writes(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"name": "größe"})
    found, metadata = read_safetensors(path)
    assert metadata == {"name": "größe"} and found.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype


def test_views_are_written_by_value(tmp_path: Path) -> None:
    turned = torch.arange(6.0).reshape(2, 3).t()
    path = written(tmp_path / "x", {"w": turned, "v": turned[1:, :1]}, {})
    found, _ = read_safetensors(path)
    assert torch.equal(found["w"], turned) and torch.equal(found["v"], turned[1:, :1])


def entry(dtype: object = "F32", shape: object = (1,), place: object = (0, 4)) -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": place}


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
    path = written(tmp_path / "x.safetensors", TENSORS, {"name": "x"})
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
