"""Records in a file that only grows: whole ones, in order, up to a saved size."""

import resource

import pytest

from vis.errors import DataError, OutputError
from vis.storage.append_only_file import AppendOnlyFile


def test_it_keeps_whole_records(tmp_path):
    file = AppendOnlyFile(tmp_path / "file")
    offsets = [file.append(f"line {n}\n".encode()) for n in range(2000)]
    assert file.line_at(offsets[1234]) == b"line 1234"
    assert file.sync() == (tmp_path / "file").stat().st_size
    file.close()
    again = AppendOnlyFile(tmp_path / "file", offsets[10])
    assert [line.decode() for line in again.lines()] == [f"line {n}" for n in range(10)]
    again.close()
    with pytest.raises(OutputError):
        AppendOnlyFile(tmp_path / "missing" / "file")


def test_a_record_that_does_not_fit_leaves_nothing_of_itself(tmp_path):
    file = AppendOnlyFile(tmp_path / "file")
    file.append(b"one\n")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(OutputError, match="disk full"):
            file.append(bytes(1000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "file").read_bytes() == b"one\n"
    assert file.append(b"two\n") == 4
    file.close()


def test_a_file_shorter_than_its_saved_size_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"one\n")
    with pytest.raises(DataError, match="4 bytes where 9 were saved"):
        AppendOnlyFile(tmp_path / "file", 9)
