"""Our weight files: what is saved is read back, and no changed byte passes."""

import json
import os
import random
from pathlib import Path

import pytest
import safetensors.torch
import torch

from vis.errors import DataError, OutputExistsError
from vis.weights import files
from vis.weights.files import ModelMetadata, read_metadata, read_weights, save

METADATA = ModelMetadata(
    "vistr", {"width": 384, "name": 'quoted "seal":"'}, ("person", "größe", "", "0" * 64)
)
TENSORS = {
    "a.weight": torch.arange(12.0).reshape(3, 4),
    "a.count": torch.tensor(5),
    "seal": torch.ones(3, dtype=torch.float16),
}


def test_saved_and_read_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, METADATA, TENSORS)
    metadata, tensors = read_weights(path)
    assert metadata == METADATA and tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype
    sealed = read_metadata(path)
    assert sealed.metadata == METADATA and sealed.header.shapes["a.weight"] == (3, 4)


def test_parts_and_repeats_of_one_memory_are_saved_by_value(tmp_path: Path) -> None:
    whole = torch.arange(6.0).reshape(2, 3)
    tensors = {"whole": whole, "again": whole, "turned": whole.t(), "row": whole[1]}
    save(tmp_path / "x", METADATA, {**tensors, "learnt": torch.nn.Parameter(whole)})
    found = read_weights(tmp_path / "x")[1]
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert torch.equal(found["learnt"], whole) and not found["learnt"].requires_grad


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    save(tmp_path / "a", METADATA, TENSORS)
    save(tmp_path / "b", METADATA, TENSORS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_flipped_bit_anywhere_is_noticed(tmp_path: Path) -> None:
    """Every bit of the header and of its length, and one of each byte of the numbers."""
    path = tmp_path / "x.safetensors"
    metadata = ModelMetadata("m", {"a": 0.5, "é": [None, True]}, ("\x1b",))
    tensors = {"w": torch.arange(3.0), "n": torch.tensor(5), "h": torch.ones(1).half()}
    save(path, metadata, tensors)
    good, source = path.read_bytes(), random.Random(1)
    begin = 8 + int.from_bytes(good[:8], "little")
    flips = [(at, 1 << bit) for at in range(begin) for bit in range(8)]
    flips += [(at, 1 << source.randrange(8)) for at in range(begin, len(good))]
    with path.open("r+b", buffering=0) as file:
        for at, flip in flips:
            os.pwrite(file.fileno(), bytes([good[at] ^ flip]), at)
            with pytest.raises(DataError):
                read_weights(path)
            os.pwrite(file.fileno(), good[at : at + 1], at)
    assert read_weights(path)[0] == metadata


def test_every_changed_or_lost_piece_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, METADATA, TENSORS)
    good, source = path.read_bytes(), random.Random(5)
    for _ in range(500):
        at, length = source.randrange(len(good)), source.randrange(1, 30)
        piece = source.choice((b"", source.randbytes(length), good[at : at + length] * 2))
        changed = good[:at] + piece + good[at + length :]
        if changed != good:
            path.write_bytes(changed)
            with pytest.raises(DataError):
                read_weights(path)


def test_numbers_that_are_not_finite_are_named_when_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(files, "check_numbers", lambda *_: None)
        save(tmp_path / "x", METADATA, {"w": torch.tensor([1.0, float("nan")])})
    with pytest.raises(DataError, match="'w' has 1 numbers that are not finite"):
        read_weights(tmp_path / "x")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite_are_named(
    tmp_path: Path, value: float, dtype: torch.dtype
) -> None:
    wrong = {**TENSORS, "b.bias": torch.tensor([1.0, value, 2.0], dtype=dtype)}
    with pytest.raises(DataError, match=r"'b\.bias' has 1 numbers that are not finite"):
        save(tmp_path / "x.safetensors", METADATA, wrong)
    assert not list(tmp_path.iterdir())


def test_strange_number_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="complex"):
        save(tmp_path / "x", METADATA, {"w": torch.ones(1, dtype=torch.complex64)})


def test_what_would_not_be_read_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, value in (("MAX_TENSORS", 2), ("MAX_HEADER", 100)):
        with monkeypatch.context() as patch:
            patch.setattr(files, limit, value)
            with pytest.raises(DataError, match="than would be read"):
                save(tmp_path / "x", METADATA, TENSORS)
    assert not list(tmp_path.iterdir())


def test_files_of_others_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"format": "pt"})
    with pytest.raises(DataError, match="vis weights convert"):
        read_weights(path)
    with pytest.raises(DataError, match="vis weights convert"):
        read_metadata(path)


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, METADATA, TENSORS)
    with pytest.raises(OutputExistsError):
        save(path, METADATA, {})
    save(path, METADATA, {"w": torch.ones(1)}, overwrite=True)
    assert read_weights(path)[1].keys() == {"w"}


@pytest.mark.parametrize(
    ("forged", "reason"),
    [
        ({"version": 2}, "version 2"),
        ({"sha256": {}}, "names other"),
        ({"sha256": {"a.weight": "0", "a.count": 5, "seal": None}}, "sha256 differs"),
        ({"settings": []}, "incomplete"),
        ({"classes": []}, "incomplete"),
        ({"classes": [1]}, "incomplete"),
        ({"model": None}, "incomplete"),
    ],
)
def test_a_forged_but_sealed_header_is_refused(
    tmp_path: Path, forged: dict[str, object], reason: str
) -> None:
    """A seal is no signature: what it covers must be checked all the same."""
    path = tmp_path / "x.safetensors"
    save(path, METADATA, TENSORS)
    with safetensors.safe_open(path, "pt") as file:
        content = json.loads(file.metadata()[files.KEY]) | forged
    del content["seal"]
    text = files._json({**content, "seal": files._seal(content)})
    safetensors.torch.save_file(TENSORS, path, {files.KEY: text})
    with pytest.raises(DataError, match=reason):
        read_weights(path)


@pytest.mark.parametrize("text", ["[" * 5000, "1" * 5000, "NaN", "[]", "{}", '"\ud800"', ""])
def test_a_text_that_is_no_sealed_card_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.safetensors"
    header = json.dumps({"__metadata__": {files.KEY: text}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(DataError, match="header is damaged"):
        read_weights(path)
