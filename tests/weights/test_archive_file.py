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
from vis.weights.convert import inspect, read_foreign

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
        if name == NAME or form == tarfile.USTAR_FORMAT:
            assert read_foreign(path).tensors["w"].tolist() == [1, 2, 3]
        else:
            with pytest.raises(DataError, match="holds no frozen_inference_graph"):
                read_foreign(path)


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


def test_too_many_members_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_file, "MAX_MEMBERS", 3)
    path.write_bytes(archive(OTHERS | {NAME: GRAPH}))
    with pytest.raises(DataError, match="more than 3 members"):
        read_foreign(path)
