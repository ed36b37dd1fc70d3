"""ImageNet weights: fetched only at the user's word, kept under their hash, checked each time."""

import hashlib
from pathlib import Path

import pytest

from tests.weights.server import Server
from vis.backbones.resnet import MSRA, RESNETS
from vis.errors import DataError, InputError, UsageError
from vis.weights import fetch
from vis.weights.fetch import imagenet_file, weights_folder


@pytest.fixture
def published(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """The server publishes whatever backbone is asked for, its hash in the file's name."""
    assert weights_folder() == folder
    digits = hashlib.sha256(server.content).hexdigest()[:8]
    monkeypatch.setattr(fetch, "_address", lambda name: f"{server.address}/{name}-{digits}.pth")
    return server


def test_a_good_file_is_kept_under_its_hash(published: Server, folder: Path) -> None:
    path = imagenet_file("resnet50", download=True)
    assert path.read_bytes() == published.content and list(folder.iterdir()) == [path]
    digits = hashlib.sha256(published.content).hexdigest()
    assert path.name == f"resnet50-{digits[:16]}.pth"


def test_another_file_is_thrown_away(published: Server, folder: Path) -> None:
    published.content += b"!"
    with pytest.raises(DataError, match="sha256"):
        imagenet_file("resnet50", download=True)
    assert not list(folder.iterdir())


def test_the_hash_stated_while_redirecting_counts(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_address", lambda name: f"{server.address}/moved.safetensors")
    digits = hashlib.sha256(server.content).hexdigest()
    for stated, good in ((digits, True), ("0" * 64, False), ("", False)):
        server.redirect = (server.address + "/there", {"X-Linked-ETag": f'"{stated}"'})
        if good:
            path = imagenet_file("twins_svt_small", download=True)
            assert path.name == f"twins_svt_small-{digits[:16]}.safetensors"
            path.unlink()
        else:
            with pytest.raises((DataError, InputError), match=r"sha256|hash"):
                imagenet_file("twins_svt_small", download=True)
    assert not list(folder.iterdir())


def test_a_second_use_asks_nobody_and_checks(published: Server, folder: Path) -> None:
    path = imagenet_file("resnet50", download=True)
    assert imagenet_file("resnet50", download=False) == path
    assert len(published.asked) == 1
    path.write_bytes(b"changed")
    with pytest.raises(DataError, match="Delete it and fetch it again"):
        imagenet_file("resnet50", download=False)


@pytest.mark.parametrize("name", [name for name in RESNETS if MSRA not in name])
def test_every_resnet_has_an_address_with_a_hash(folder: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"fetch https://download\.pytorch\.org/.*-[0-9a-f]{8}\.pth"
    ):
        imagenet_file(name, download=False)


def test_a_backbone_without_published_weights_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="publishes no weights"):
        imagenet_file("nonesuch_net", download=False)
    with pytest.raises(UsageError, match="in a form that is read here"):
        imagenet_file("resnet50" + MSRA, download=False)
