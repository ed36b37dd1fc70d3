"""Fetching: only over https, only what has the stated hash, and never half a file."""

import hashlib
import io
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from vis.backbones.resnet import MSRA, RESNETS
from vis.errors import DataError, InputError, OutputError, UsageError
from vis.weights import fetch
from vis.weights.fetch import imagenet_file, weights_folder

CONTENT = b"weights" * 1000
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Answer(io.BytesIO):
    """A server's answer that breaks off with an error if it has one."""

    error: Exception | None = None

    def read(self, size: int | None = -1) -> bytes:
        if self.error is not None and self.tell() > 0:
            raise self.error
        return super().read(size)


class Server:
    """Stands for the network: hands out one answer, after a redirect if one is stated."""

    def __init__(self, answer: Answer | Exception, redirect: tuple[str, str] | None = None) -> None:
        self.answer, self.redirect = answer, redirect
        self.asked: list[str] = []

    def build_opener(self, handler: Any) -> Any:
        server = self

        class Opener:
            def open(self, address: str, timeout: float) -> Answer:
                assert timeout > 0
                server.asked.append(address)
                if server.redirect is not None:
                    headers = Message()
                    headers["X-Linked-ETag"] = f'"{server.redirect[1]}"'
                    request = urllib.request.Request(address)
                    target = server.redirect[0]
                    handler.redirect_request(request, io.BytesIO(), 302, "Found", headers, target)
                if isinstance(server.answer, Exception):
                    raise server.answer
                return server.answer

        return Opener()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIS_WEIGHTS", str(tmp_path / "weights"))
    assert weights_folder() == tmp_path / "weights"
    return tmp_path / "weights"


def serve(monkeypatch: pytest.MonkeyPatch, *arguments: Any) -> Server:
    server = Server(*arguments)
    monkeypatch.setattr(fetch.urllib.request, "build_opener", server.build_opener)
    return server


def get(folder: Path, digits: str = DIGEST[:8]) -> Path:
    return fetch.fetch(f"https://example.org/net-{digits}.pth", folder, "net")


def test_a_good_file_is_kept_under_its_hash(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Answer(CONTENT))
    path = get(folder)
    assert path.read_bytes() == CONTENT
    assert path.name == f"net-{DIGEST[:16]}.pth" and list(folder.iterdir()) == [path]


def test_another_file_is_thrown_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Answer(b"something else"))
    with pytest.raises(DataError, match="sha256"):
        get(folder)
    assert not list(folder.iterdir())


def test_the_hash_stated_while_redirecting_counts(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for stated, good in ((DIGEST, True), ("0" * 64, False), ("", False)):
        serve(monkeypatch, Answer(CONTENT), ("https://cdn.example.org/x", stated))
        if good:
            assert imagenet_file("twins_svt_small", download=True).read_bytes() == CONTENT
            [path.unlink() for path in folder.iterdir()]
        else:
            with pytest.raises((DataError, InputError), match="sha256"):
                imagenet_file("twins_svt_small", download=True)
    assert not list(folder.iterdir())


def test_only_https_is_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(monkeypatch, Answer(CONTENT), ("http://example.org/x", DIGEST))
    with pytest.raises(InputError, match="not https"):
        get(folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    "error", [urllib.error.URLError("no route"), TimeoutError("slow"), ConnectionResetError("cut")]
)
def test_no_network_is_said_clearly(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    breaking = Answer(CONTENT * 1000)
    breaking.error = error
    for answer in (error, breaking):
        serve(monkeypatch, answer)
        with pytest.raises(InputError, match=r"example\.org.*cannot be fetched.*network"):
            get(folder)
    assert not list(folder.iterdir())


def test_a_second_use_asks_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(monkeypatch, Answer(CONTENT), ("https://cdn.example.org/x", DIGEST))
    path = imagenet_file("twins_svt_small", download=True)
    assert imagenet_file("twins_svt_small", download=False) == path
    assert len(server.asked) == 1


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    serve(monkeypatch, Answer(CONTENT))
    with pytest.raises(OutputError, match="Not a directory"):
        get(tmp_path / "file" / "folder")


@pytest.mark.parametrize("name", [name for name in RESNETS if not name.endswith(MSRA)])
def test_every_resnet_has_an_address_with_a_hash(folder: Path, name: str) -> None:
    with pytest.raises(
        InputError, match=r"fetch https://download\.pytorch\.org/.*-[0-9a-f]{8}\.pth"
    ):
        imagenet_file(name, download=False)


def test_a_backbone_without_published_weights_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="publishes no weights"):
        imagenet_file("nonesuch_net", download=False)
