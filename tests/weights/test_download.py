"""Downloads from a real server: whole, resumed, or refused; never half a file under the name."""

import errno
import hashlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.weights.server import Server
from vis.errors import DataError, InputError, OutputError, UsageError
from vis.storage.lock import locked
from vis.weights import download as module
from vis.weights.digest import Digest, digest, whole_sha256
from vis.weights.download import download


def right(server: Server) -> Digest:
    return Digest("sha256", hashlib.sha256(server.content).hexdigest())


def part(place: Path) -> Path:
    return place.with_name(f".{place.name}.part")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "weights" / "net.pth"


def test_a_whole_file_comes(server: Server, place: Path) -> None:
    sums = download(server.address + "/net.pth", place, stated=[right(server)])
    assert place.read_bytes() == server.content and list(place.parent.iterdir()) == [place]
    assert sums.size == len(server.content) and sums.sha256 == right(server).digits
    assert sums.md5 == hashlib.md5(server.content).hexdigest()


@pytest.mark.parametrize("stated", ["sha256", "md5"])
def test_first_digits_are_enough_or_too_much(server: Server, place: Path, stated: str) -> None:
    found = hashlib.new(stated, server.content).hexdigest()
    download(server.address, place, stated=[digest(f"{stated}:{found[:8]}")])
    other = "0" if found[7] != "0" else "1"
    with pytest.raises(DataError, match=f"{stated} begins with .*thrown away"):
        download(server.address, place, stated=[digest(f"{stated}:{found[:7]}{other}")])


def test_a_broken_download_goes_on(server: Server, place: Path) -> None:
    server.breaks_after = 300_000
    with pytest.raises(InputError, match=r"broke after 0\.3 of 0\.7 MB.*goes on"):
        download(server.address, place, stated=[right(server)])
    assert not place.exists() and part(place).read_bytes() == server.content[:300_000]
    server.breaks_after = None
    download(server.address, place, stated=[right(server)])
    assert place.read_bytes() == server.content and not part(place).exists()
    assert [asked for _, asked in server.asked] == ["", "bytes=300000-"]


def test_without_ranges_it_starts_over(server: Server, place: Path) -> None:
    place.parent.mkdir()
    part(place).write_bytes(server.content[:1000])
    server.ranges = False
    download(server.address, place, stated=[right(server)])
    assert place.read_bytes() == server.content


def test_a_part_that_is_whole_or_too_long(server: Server, place: Path) -> None:
    place.parent.mkdir()
    for content, requests in ((server.content, 1), (server.content + b"more", 2)):
        part(place).write_bytes(content)
        server.asked.clear()
        download(server.address, place, stated=[right(server)])
        assert place.read_bytes() == server.content and len(server.asked) == requests


def test_a_wrong_hash_leaves_nothing(server: Server, place: Path) -> None:
    with pytest.raises(DataError, match=r"127\.0\.0\.1.*sha256 begins with"):
        download(server.address, place, stated=[digest("sha256:00000000")])
    assert not list(place.parent.iterdir())


def test_a_part_of_another_version_is_thrown_away(server: Server, place: Path) -> None:
    place.parent.mkdir()
    part(place).write_bytes(b"x" * 1000)
    with pytest.raises(DataError):
        download(server.address, place, stated=[right(server)])
    download(server.address, place, stated=[right(server)])
    assert place.read_bytes() == server.content


def test_without_a_stated_hash_it_must_be_wanted_so(server: Server, place: Path) -> None:
    with pytest.raises(InputError, match="nobody states its hash"):
        download(server.address, place)
    assert not list(place.parent.iterdir())
    part(place).write_bytes(b"of another version")
    assert download(server.address, place, unverified=True).sha256 == right(server).digits
    assert server.asked[-1][1] == "", "what cannot be checked is not put together"


def test_what_the_server_refuses_is_said(server: Server, place: Path) -> None:
    server.status = 404
    with pytest.raises(InputError, match=r"answers 404 Not Found\. Has it moved") as caught:
        download(server.address, place, stated=[right(server)])
    assert caught.value.exit_code == 66 and "\n" not in str(caught.value)


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "https://nobody.invalid/x"])
def test_no_network_is_one_line(place: Path, address: str) -> None:
    with pytest.raises(InputError, match=r"cannot be fetched .*Is there a network") as caught:
        download(address, place, unverified=True)
    assert "\n" not in str(caught.value) and not place.exists()


def test_only_https_is_fetched_and_followed(server: Server, place: Path) -> None:
    for address in ("http://example.org/x", "ftp://example.org/x", "file:///etc/passwd"):
        with pytest.raises(UsageError, match="only https"):
            download(address, place)
    for target in ("http://example.org/x", "ftp://example.org/x"):
        server.redirect = (target, {})
        with pytest.raises(InputError, match="which is not https"):
            download(server.address + "/moved", place)


def test_https_is_never_led_back_to_this_machine() -> None:
    from email.message import Message
    from io import BytesIO
    from urllib.error import URLError
    from urllib.request import Request

    request = Request("https://example.org/x")
    with pytest.raises(URLError, match="not https"):
        module._Redirects().redirect_request(
            request, BytesIO(), 302, "Found", Message(), "http://127.0.0.1/x"
        )


def test_the_hash_stated_while_redirecting_counts(server: Server, place: Path) -> None:
    for stated, good in ((right(server).digits, True), ("0" * 64, False), ("0" * 40, None)):
        server.redirect = (server.address + "/there", {"X-Linked-ETag": f'"{stated}"'})
        if good:
            download(server.address + "/moved", place)
            place.unlink()
        else:
            with pytest.raises(InputError if good is None else DataError):
                download(server.address + "/moved", place)
    assert not list(place.parent.iterdir())


def test_a_file_that_is_too_large_is_refused(
    server: Server, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.stated_length = module.MAX_BYTES + 1
    with pytest.raises(InputError, match="more than"):
        download(server.address, place, unverified=True)
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    server.stated_length = None
    with pytest.raises(InputError, match="more than"):
        download(server.address, place, unverified=True)


def test_two_at_once_do_not_write_into_one_another(server: Server, place: Path) -> None:
    place.parent.mkdir()
    lock = part(place).with_name(f"{part(place).name}.lock")
    with locked(lock, where=place), pytest.raises(OutputError, match=f"process {os.getpid()} on"):
        download(server.address, place, stated=[right(server)])
    download(server.address, place, stated=[right(server)])


def test_a_folder_that_cannot_be_made_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Not a directory"):
        download(server.address, tmp_path / "file" / "folder" / "net.pth", unverified=True)


CHILD = """
import sys
from pathlib import Path
from vis.weights.digest import Digest
from vis.weights.download import download
address, place, digits = sys.argv[1:]
download(address, Path(place), stated=[Digest("sha256", digits)])
"""


def test_a_full_disk_is_said_and_what_came_is_used(server: Server, place: Path) -> None:
    """The limit on a file's size fails a write as a full disk does: after a part of it."""
    arguments = [sys.executable, "-c", CHILD, server.address, str(place), right(server).digits]
    done = subprocess.run(
        arguments,
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000)),
    )
    assert "OutputError: " in done.stderr and done.returncode == 1
    assert not place.exists() and part(place).read_bytes() == server.content[:400_000]
    download(server.address, place, stated=[right(server)])
    assert place.read_bytes() == server.content and server.asked[-1][1] == "bytes=400000-"


def test_full_disks_have_their_own_words(place: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"disk is full.*Free some space"),
        module._writing(place, "kept"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_interruption_keeps_what_came(
    server: Server, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 100_000)
    append = module.write_all

    def interrupted(file: object, block: bytes) -> None:
        append(file, block)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "write_all", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        download(server.address, place, stated=[right(server)])
    assert caught.value.__notes__ == ["What came is kept: the same command goes on from there"]
    monkeypatch.undo()
    assert part(place).stat().st_size == 100_000
    download(server.address, place, stated=[right(server)])
    assert place.read_bytes() == server.content and server.asked[-1][1] == "bytes=100000-"


def test_a_sha256_of_a_user_is_whole() -> None:
    assert whole_sha256("AB" * 32 + "\n") == Digest("sha256", "ab" * 32)
    for wrong in ("ab" * 31, "xy" * 32, "", "sha256:" + "ab" * 32):
        with pytest.raises(UsageError, match="64 hexadecimal"):
            whole_sha256(wrong)
