"""What the system says of a write, in words with a remedy; one list tells when a disk is full."""

import errno
import os
from pathlib import Path

import pytest

from vis.errors import DataError, OutputError
from vis.storage.disk_errors import INCREMENTAL, WHOLE, output_error, output_errors

PATH = Path("folder/out.bin")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize(
    ("messages", "what"), [(WHOLE, "disk is full"), (INCREMENTAL, "disk full")]
)
def test_a_full_disk_a_quota_and_the_largest_size_are_one_cause(number, messages, what):
    error = output_error(OSError(number, os.strerror(number)), PATH, messages, done="Nothing.")
    assert what in error.what and error.remedy
    assert (error.where, error.done) == (str(PATH), "Nothing.")


def test_a_cause_without_words_of_its_own_has_those_of_the_rest():
    error = output_error(FileNotFoundError(errno.ENOENT, "No such file"), PATH, INCREMENTAL)
    assert error.what == "cannot be written (No such file)"
    error = output_error(FileNotFoundError(errno.ENOENT, "No such file"), PATH, WHOLE)
    assert error.what == f"there is no folder {PATH.parent}"


def test_braces_of_a_name_stay_as_they_are():
    error = output_error(FileNotFoundError(errno.ENOENT, "gone {x}"), Path("{a}/b"), WHOLE)
    assert error.what == "there is no folder {a}"


def test_errors_of_ours_and_errors_of_values_pass():
    with pytest.raises(DataError, match="wrong"), output_errors(PATH):
        raise DataError("wrong")
    with pytest.raises(ValueError, match="of an encoder"), output_errors(PATH):
        raise ValueError("of an encoder")
    with pytest.raises(OutputError, match="no name for a file"), output_errors(PATH, WHOLE):
        raise ValueError("embedded null byte")
