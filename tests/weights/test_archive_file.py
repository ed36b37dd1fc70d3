"""Archives: one member is read in memory, nothing is unpacked, and no bomb goes off."""

import contextlib
import gzip
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from tests.weights.graphs import FOLDER, NAME, archive, graph
from vis.errors import DataError
from vis.weights import archive_file
from vis.weights.convert import read_foreign
from vis.weights.inspection import inspect

GRAPH = graph({"w": np.float32([1, 2, 3])})
OTHERS = {f"{FOLDER}/model.ckpt.meta": b"x" * 1500, f"{FOLDER}/empty": b""}


def entry(name: str, kind: bytes = tarfile.REGTYPE, *, target: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, target
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "published"


def test_the_graph_is_read_out_of_it_and_nothing_is_unpacked(path: Path) -> None:
    folder = entry(f"{FOLDER}/saved_model", tarfile.DIRTYPE)
    path.write_bytes(archive(OTHERS | {NAME: GRAPH} | {"last": b"y" * 600}, folder))
    found = read_foreign(path)
    assert found.tensors["w"].tolist() == [1, 2, 3] and found.format == "tensorflow graph"
    assert inspect(path).tensors.keys() == {"w"}
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_every_form_that_the_library_writes(path: Path, tmp_path: Path, form: int) -> None:
    """Of a real file, whose time makes the newest form write a comment first."""
    file = tmp_path / "frozen_inference_graph.pb"
    file.write_bytes(GRAPH)
    os.utime(file, (1.5, 1.5))
    long = "d" * 80 + "/" + "e" * 60 + "/frozen_inference_graph.pb"
    for name in (NAME, long):
        with tarfile.open(path, "w:gz", format=form) as tar:
            tar.add(file, name)
        assert read_foreign(path).tensors["w"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("kind", [
    tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE,
    tarfile.GNUTYPE_SPARSE,
])  # fmt: skip
def test_links_and_devices_are_refused(path: Path, kind: bytes) -> None:
    for name in (NAME, "other"):
        path.write_bytes(archive({}, entry(name, kind, target="/etc/passwd")))
        with pytest.raises(DataError, match=r"published: member .* is a link or a device"):
            read_foreign(path)


@pytest.mark.parametrize("name", [f"../{NAME}", f"/{NAME}", "a/../../frozen_inference_graph.pb"])
def test_names_that_leave_the_folder_are_no_graph(path: Path, name: str) -> None:
    path.write_bytes(archive({name: GRAPH}))
    with pytest.raises(DataError, match="holds no frozen_inference_graph"):
        read_foreign(path)
    path.write_bytes(archive({name: b"evil", NAME: GRAPH}))
    assert set(read_foreign(path).tensors) == {"w"}


def test_no_graph_or_two_are_refused(path: Path) -> None:
    for members, count in ((OTHERS, "no"), ({NAME: GRAPH, f"b/{NAME}": GRAPH}, "2")):
        path.write_bytes(archive(members))
        with pytest.raises(DataError, match=f"holds {count} frozen_inference_graph"):
            read_foreign(path)


def test_a_graph_that_is_none_is_refused_with_its_place(path: Path) -> None:
    path.write_bytes(archive({NAME: b"\xff" * 50}))
    with pytest.raises(DataError, match=r"published: .*no graph"):
        read_foreign(path)


def test_other_compressed_files_are_told_apart(path: Path) -> None:
    for content in (b"hello" * 500, b"\0" * 511 + b"x", os.urandom(5000)):
        path.write_bytes(gzip.compress(content))
        with pytest.raises(DataError, match="no tar archive"):
            read_foreign(path)
    path.write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="cut short"):
        read_foreign(path)


def test_every_truncation_is_refused_and_all_damage_too_that_matters(path: Path) -> None:
    whole = archive(OTHERS | {NAME: GRAPH})
    for length in range(2, len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError):
            read_foreign(path)
    for place in range(10, len(whole)):  # before, gzip states a time and a system
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:  # some bits of gzip's last byte stand for nothing
            assert read_foreign(path).tensors["w"].tolist() == [1, 2, 3]
        except DataError:
            continue


def test_damage_that_gzip_cannot_see_is_refused_or_harmless(path: Path) -> None:
    whole = bytearray(gzip.decompress(archive({NAME: GRAPH}))[: 512 + len(GRAPH)])
    for place in range(len(whole)):
        for change in (0x01, 0x80):
            whole[place] ^= change
            path.write_bytes(gzip.compress(bytes(whole) + bytes(1024), 1))
            with contextlib.suppress(DataError):
                assert set(read_foreign(path).tensors) <= {"w", "v"}
            whole[place] ^= change


def test_a_bomb_is_refused_in_bounded_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "MAX_TOTAL", 8 << 20)
    begun = time.process_time()
    bomb = gzip.compress(archive_of_zeros(64 << 20))
    assert len(bomb) < 100_000
    for content in (bomb, gzip.compress(bytes(64 << 20))):
        path.write_bytes(content)
        with pytest.raises(DataError, match="unpacks to more than"):
            read_foreign(path)
    assert time.process_time() - begun < 5


def archive_of_zeros(size: int) -> bytes:
    found = entry(NAME)
    found.size = size
    return found.tobuf(tarfile.USTAR_FORMAT) + bytes(size)


def test_stated_sizes_are_not_believed(path: Path) -> None:
    found = entry(NAME)
    for size, reason in (
        (archive_file.MAX_FILE, "ends within a member"),
        (archive_file.MAX_FILE + 1, "at most"),
        (7 << 30, "unpacks to more than"),
        (9 << 30, "8 GiB"),
    ):
        found.size = size
        path.write_bytes(gzip.compress(found.tobuf(tarfile.GNU_FORMAT) + GRAPH))
        with pytest.raises(DataError, match=reason):
            read_foreign(path)


def comment(kind: bytes, content: bytes) -> bytes:
    """A header of a header, and its content in whole blocks."""
    head = entry("comment", kind)
    head.size = len(content)
    return head.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % tarfile.BLOCKSIZE)


def record(key: str, value: str) -> bytes:
    """A record of a POSIX comment: its own length, key and value."""
    rest = f" {key}={value}\n"
    (length,) = (n for n in range(len(rest), len(rest) + 8) if n == len(rest) + len(str(n)))
    return f"{length}{rest}".encode()


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_comments_are_short(path: Path, kind: bytes) -> None:
    member = gzip.decompress(archive({NAME: GRAPH}))
    for content in (record("comment", "n" * 300), record("path", "d" * 100 + NAME)):
        path.write_bytes(gzip.compress(comment(kind, content) + member))
        with contextlib.suppress(DataError):  # GNU's long names are no records
            assert set(read_foreign(path).tensors) == {"w"}
    begun = time.process_time()
    for content in (b"1" * (16 << 20), bytes(archive_file.MAX_HEADER)):
        path.write_bytes(gzip.compress(comment(kind, content) + member, 1))
        with pytest.raises(DataError, match="longer than"):
            read_foreign(path)
    assert time.process_time() - begun < 5


@pytest.mark.parametrize("count", [3, 7, 100, 5000])
def test_comments_on_comments_end(path: Path, count: int) -> None:
    member = gzip.decompress(archive({NAME: GRAPH}))
    path.write_bytes(gzip.compress(comment(b"x", record("comment", "n")) * count + member, 1))
    if (2 * count + 1) * tarfile.BLOCKSIZE <= archive_file.MAX_HEADER:
        assert set(read_foreign(path).tensors) == {"w"}
    else:
        with pytest.raises(DataError, match="longer than"):
            read_foreign(path)


def test_comments_of_all_members_together_are_bounded(path: Path) -> None:
    long = comment(b"g", record("comment", "n" * 5000))
    empty = entry("other").tobuf(tarfile.USTAR_FORMAT)
    path.write_bytes(gzip.compress((long + empty) * 60, 1))
    with pytest.raises(DataError, match="their comments than"):
        read_foreign(path)


@pytest.mark.parametrize("records", [
    {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"},
    {"GNU.sparse.map": "0,5"},
    {"GNU.sparse.size": "5"},
    {"GNU.sparse.realsize": "100000"},
    {"size": "-600"},
    {"size": "9999999999999"},
])  # fmt: skip
def test_sizes_and_sparse_maps_of_comments_are_not_believed(
    path: Path, records: dict[str, str]
) -> None:
    texts = b"".join(record(key, value) for key, value in records.items())
    large = entry(NAME)
    large.size = 4 << 20
    numbers = b"2000000\n" + b"1\n" * (2 << 20)
    for content in (
        entry(NAME).tobuf(tarfile.USTAR_FORMAT),
        large.tobuf(tarfile.USTAR_FORMAT) + numbers,
    ):
        path.write_bytes(gzip.compress(comment(b"x", texts) + content + bytes(1024), 1))
        with pytest.raises(DataError):
            read_foreign(path)


def test_an_archive_without_its_end_or_with_a_damaged_header_is_refused(path: Path) -> None:
    head = entry(NAME)
    head.size = len(GRAPH)
    member = head.tobuf(tarfile.USTAR_FORMAT) + GRAPH + bytes(-len(GRAPH) % tarfile.BLOCKSIZE)
    path.write_bytes(gzip.compress(member + bytes(1024)))
    assert set(read_foreign(path).tensors) == {"w"}
    for end, reason in ((b"", "cut short"), (b"\0" * 300, "cut short"), (b"x" * 512, "damaged")):
        path.write_bytes(gzip.compress(member + end))
        with pytest.raises(DataError, match=reason):
            read_foreign(path)


def test_too_many_members_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "MAX_MEMBERS", 3)
    path.write_bytes(archive(OTHERS | {NAME: GRAPH}))
    with pytest.raises(DataError, match="more than 3 members"):
        read_foreign(path)
