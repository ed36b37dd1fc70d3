import errno
import os
import resource

import pytest

from vis.errors import OutputError, OutputExistsError
from vis.storage.whole_file import whole_folder, write_whole


def test_the_file_holds_the_content_and_nothing_lies_beside_it(tmp_path):
    path = tmp_path / "out.bin"
    write_whole(path, b"one")
    assert path.read_bytes() == b"one"
    write_whole(path, b"two", overwrite=True)
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_stays_as_it_is(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    with pytest.raises(OutputExistsError) as caught:
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert caught.value.where == str(path) and caught.value.remedy


def test_a_file_that_comes_while_we_write_stays_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "out.bin"
    monkeypatch.setattr(os, "fsync", lambda _: path.write_bytes(b"theirs"))
    with pytest.raises(OutputExistsError):
        write_whole(path, b"ours")
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
@pytest.mark.parametrize(
    ("code", "said"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "disk is full"), (errno.EIO, "Input/output")],
)
def test_a_failing_disk_leaves_the_old_file_whole(tmp_path, monkeypatch, call, code, said):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")

    def fail(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(*((os, call) if call == "fsync" else (f"pathlib.Path.{call}",)), fail)
    with pytest.raises(OutputError, match=said) as caught:
        write_whole(path, b"new", overwrite=True)
    assert caught.value.done == "Nothing was written."
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_the_system_stops_half_way_leaves_the_old_file_whole(tmp_path):
    path = tmp_path / "out.bin"
    path.write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OutputError, match="disk is full"):
            write_whole(path, bytes(10_000), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no/such/out.bin", "there is no folder"),
        ("file/out.bin", "cannot be written"),
        ("folder", "cannot be written"),
        ("nul\0", "no name for a file"),
        ("x" * 300, "cannot be written"),
    ],
)
def test_places_that_cannot_be_written_are_named(tmp_path, name, said):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=said):
        write_whole(tmp_path / name, b"new", overwrite=True)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    def fail():
        with whole_folder(tmp_path / "out") as folder:
            (folder / "half").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not list(tmp_path.iterdir())
    with whole_folder(tmp_path / "out") as folder:
        (folder / "all").touch()
        assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "all"]


def test_a_folder_that_holds_something_is_not_replaced(tmp_path):
    (tmp_path / "kept").touch()
    with pytest.raises(OutputExistsError), whole_folder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
