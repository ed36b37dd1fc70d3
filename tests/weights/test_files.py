"""Our weight files: what is saved is read back, and no changed byte passes."""

import random
from pathlib import Path

import pytest
import safetensors.torch
import torch

from vis.errors import DataError, OutputExistsError
from vis.weights import files
from vis.weights.files import Card, read_card, read_weights, save

CARD = Card("vistr", {"width": 384, "name": 'quoted "seal":"'}, ("person", "größe", "", "0" * 64))
TENSORS = {
    "a.weight": torch.arange(12.0).reshape(3, 4),
    "a.count": torch.tensor(5),
    "seal": torch.ones(3, dtype=torch.float16),
}


def test_saved_and_read_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, CARD, TENSORS)
    card, tensors = read_weights(path)
    assert card == CARD and tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert torch.equal(tensors[name], tensor) and tensors[name].dtype == tensor.dtype
    sealed = read_card(path)
    assert sealed.card == CARD and sealed.header.shapes["a.weight"] == (3, 4)


def test_the_same_weights_make_the_same_file(tmp_path: Path) -> None:
    save(tmp_path / "a", CARD, TENSORS)
    save(tmp_path / "b", CARD, TENSORS)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_flipped_bit_in_any_byte_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, CARD, TENSORS)
    good, source = path.read_bytes(), random.Random(1)
    for at in range(len(good)):
        flipped = good[at] ^ (1 << source.randrange(8))
        path.write_bytes(good[:at] + bytes([flipped]) + good[at + 1 :])
        with pytest.raises(DataError):
            read_weights(path)


def test_every_changed_or_lost_piece_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, CARD, TENSORS)
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
        patch.setattr(files, "_check_numbers", lambda *_: None)
        save(tmp_path / "x", CARD, {"w": torch.tensor([1.0, float("nan")])})
    with pytest.raises(DataError, match="'w' has 1 numbers that are not finite"):
        read_weights(tmp_path / "x")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_named(tmp_path: Path, value: float) -> None:
    wrong = {**TENSORS, "b.bias": torch.tensor([1.0, value])}
    with pytest.raises(DataError, match=r"'b\.bias' has 1 numbers that are not finite"):
        save(tmp_path / "x.safetensors", CARD, wrong)
    assert not list(tmp_path.iterdir())


def test_strange_number_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="complex"):
        save(tmp_path / "x", CARD, {"w": torch.ones(1, dtype=torch.complex64)})


def test_files_of_others_are_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    safetensors.torch.save_file(TENSORS, path, {"format": "pt"})
    with pytest.raises(DataError, match="vis weights convert"):
        read_weights(path)
    with pytest.raises(DataError, match="vis weights convert"):
        read_card(path)


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save(path, CARD, TENSORS)
    with pytest.raises(OutputExistsError):
        save(path, CARD, {})
    save(path, CARD, {"w": torch.ones(1)}, overwrite=True)
    assert read_weights(path)[1].keys() == {"w"}


def test_a_forged_but_sealed_header_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A seal is no signature: what it covers must be checked all the same."""
    path = tmp_path / "x.safetensors"
    for key, word in {"sha256": "names other", "settings": "dict", "classes": "empty"}.items():
        forged = {"sha256": "{}", "settings": "[" * 5000, "classes": "[]"}[key]

        def change(text: dict[str, str], key: str = key, forged: str = forged) -> dict[str, str]:
            return {**text, key: forged}

        _save_changed(path, change, monkeypatch)
        with pytest.raises(DataError, match=word):
            read_weights(path)


def _save_changed(path: Path, change: object, monkeypatch: pytest.MonkeyPatch) -> None:
    true = files.header_bytes
    assert callable(change)
    with monkeypatch.context() as patch:
        patch.setattr(files, "header_bytes", lambda tensors, text: true(tensors, change(text)))
        save(path, CARD, TENSORS, overwrite=True)
