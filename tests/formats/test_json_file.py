import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vis.errors import DataError, InputError, OutputExistsError
from vis.formats.json_file import read_entries, read_json, write_json

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"

FAULTS = {
    "empty": (b"", "the file is empty"),
    "blank": (b" \n\n", "the file is empty"),
    "only a mark": (b"\xef\xbb\xbf", "the file is empty"),
    "zeros": (b"\0" * 512, "512 zero bytes"),
    "page": (b"<!DOCTYPE html><html>404</html>", "an HTML or XML page"),
    "page after a mark": (b"\xef\xbb\xbf \n<html>", "an HTML or XML page"),
    "pointer": (LFS, "a Git LFS pointer.* git lfs pull"),
    "zip": (b"PK\x03\x04rest", "a zip archive"),
    "gzip": (b"\x1f\x8b\x08rest", "a gzip archive"),
    "utf-16": ("[1]".encode("utf-16"), "text in UTF-16"),
    "latin-1": (b'["a",\n "caf\xe9"]', r"byte 11 \(line 2\) is not UTF-8"),
    "NaN": (b'{"score": NaN}', "NaN is not a JSON number"),
    "infinity": (b"[-Infinity]", "-Infinity is not a JSON number"),
    "overflow": (b"[1, 1e400]", "the number 1e400 is too large"),
    "long number": (b"[" + b"1" * 5000 + b"]", "thousands of digits"),
    "key twice": (b'[{"id": 7, "a": 1, "a": 2}]', "key 'a' appears twice in one object with id 7"),
    "deep": (b"[" * 65 + b"]" * 65, "more than 64 lists"),
    "deep objects": (b'{"a":' * 70 + b"1" + b"}" * 70, "more than 64 lists"),
    "very deep": (b"[" * 200_000, "more than 64 lists"),
    "two values": (b'{"a": 1}\n{"a": 2}\n', "a second value follows the first at line 2, column 1"),
    "no comma": (b"[1,\n 2 3]", "this is not JSON: .* at line 2, column 4"),
    "text": (b"hello", "this is not JSON: .* line 1, column 1"),
    "python": (b"{'a': 1}", "this is not JSON"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_with_the_file(name, tmp_path):
    content, said = FAULTS[name]
    path = tmp_path / "truth.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said) as caught:
        read_json(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.remedy


WHOLE = b'{"a": [1, -2.5e-3, true, false, null, "caf\xc3\xa9 \\u00e9"], "b": {"c": "d"}}'


@pytest.mark.parametrize("size", range(1, len(WHOLE)))
def test_a_file_cut_anywhere_is_called_cut(size, tmp_path):
    path = tmp_path / "cut.json"
    path.write_bytes(WHOLE[:size])
    with pytest.raises(DataError, match=rf"cut off: .* after {size} bytes \(line 1\)"):
        read_json(path)
    path.write_bytes(b"\n" + WHOLE[:size])
    with pytest.raises(DataError, match=rf"after {size + 1} bytes \(line 2\)"):
        read_json(path)


def test_a_key_twice_among_very_many_is_found(tmp_path):
    """Whoever compared each with each would not come back."""
    path = tmp_path / "many.json"
    path.write_text("{" + "".join(f'"{number}":0,' for number in range(300_000)) + '"299999":1}')
    with pytest.raises(DataError, match="'299999' appears twice"):
        read_json(path)


def test_marks_and_spaces_are_no_fault(tmp_path):
    path = tmp_path / "marked.json"
    path.write_bytes(b"\xef\xbb\xbf\r\n" + WHOLE + b"\r\n\r\n")
    assert read_json(path) == json.loads(WHOLE)


def test_64_levels_are_legal(tmp_path):
    path = tmp_path / "deep.json"
    path.write_bytes(b"[" * 64 + b"]" * 64)
    assert read_json(path) == json.loads(path.read_bytes())


def test_the_limit_of_size_is_stated_with_the_memory_it_would_take(tmp_path):
    path = tmp_path / "large.json"
    path.write_bytes(b"[" + b" " * 3 * 2**20 + b"]")
    assert read_json(path) == []
    with pytest.raises(DataError, match=r"3.0 MB, at most 2.0 MB are read.* GB of memory"):
        read_json(path, largest=2 * 2**20)


def test_a_sparse_giant_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "giant.json"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    with pytest.raises(DataError, match=r"5120\.0 MB"):
        read_json(path)


def test_what_is_no_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in [
        (tmp_path / "missing.json", "no such file"),
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a pipe"),
        ("/dev/zero", "device"),
        ("a\0b", "NUL"),
        (tmp_path / "pipe" / "x.json", "cannot be read"),
    ]:
        with pytest.raises(InputError, match=said):
            read_json(path)


def test_a_file_that_may_not_be_read_says_so(tmp_path, monkeypatch):
    path = tmp_path / "closed.json"
    path.write_bytes(b"[]")

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(InputError, match=r"closed\.json: .*Permission denied"):
        read_json(path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)  # fmt: skip


@given(values)
def test_written_values_are_read_back(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("json") / "value.json"
    write_json(path, value)
    assert read_json(path) == value


def test_nothing_is_overwritten_unasked(tmp_path):
    path = tmp_path / "there.json"
    write_json(path, [1])
    with pytest.raises(OutputExistsError, match="there already"):
        write_json(path, [2])
    assert read_json(path) == [1]
    write_json(path, [2], overwrite=True)
    assert read_json(path) == [2]


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_what_json_cannot_say_is_not_written(tmp_path, value):
    path = tmp_path / "new.json"
    with pytest.raises(DataError, match="Nothing was written"):
        write_json(path, value)
    assert list(tmp_path.iterdir()) == []


def test_a_value_without_end_is_not_written(tmp_path):
    value = []
    value.append(value)
    with pytest.raises(DataError, match="Circular"):
        write_json(tmp_path / "new.json", value)


ENTRIES = [None, 1, -2.5, "a]b,[", {"a": [1, {"b": "\u00e9\U0001f600"}]}, [], [[]], {}, True, 12345]


@pytest.fixture
def narrow(monkeypatch):
    """Reads of a few characters, so that every entry is cut somewhere."""
    monkeypatch.setattr("vis.formats.json_file._CHUNK", 3)


@pytest.mark.parametrize("spaces", [{}, {"indent": 2}, {"separators": (" ,\n", " :\t")}])
@pytest.mark.parametrize("size", range(len(ENTRIES) + 1))
def test_entries_one_by_one_are_those_of_the_whole(tmp_path, narrow, size, spaces):
    path = tmp_path / "list.json"
    path.write_text(f" {json.dumps(ENTRIES[:size], ensure_ascii=False, **spaces)}\n \n")
    assert list(read_entries(path, list)) == ENTRIES[:size]


@pytest.mark.parametrize(
    "text",
    ["[1, 2", "[1, 2]]", "[1, 2] 3", "[1 2]", "[1,]", "[,1]", "", "[", "nonsense", '[1, {"a":',
     '[1, {"a": 1, "a": 2}]', "[1, NaN]", "[1, 1e999]", "[" * 100_000, "[1, " + "[" * 80 + "]" * 81,
     "[1, 2}", "[1, tru"],
)  # fmt: skip
def test_a_fault_is_told_as_by_the_reader_of_whole_files(tmp_path, narrow, text):
    path = tmp_path / "list.json"
    path.write_text(text)
    with pytest.raises(DataError) as whole:
        read_json(path)
    with pytest.raises(DataError) as one_by_one:
        list(read_entries(path, list))
    assert str(one_by_one.value) == str(whole.value)


def test_a_list_is_read_while_its_entries_are_taken(tmp_path, narrow):
    path = tmp_path / "list.json"
    path.write_text("[1, 2, 3, broken")
    entries = read_entries(path, list)
    assert [next(entries), next(entries)] == [1, 2]
    with pytest.raises(DataError, match="not JSON"):
        list(entries)


def test_the_caller_says_what_else_than_a_list_is(tmp_path):
    path = tmp_path / "object.json"
    path.write_text('{"list": [1, 2]}')
    assert list(read_entries(path, lambda value: value["list"])) == [1, 2]


def test_entries_of_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        list(read_entries(tmp_path / "none.json", list))
    with pytest.raises(InputError, match="a folder"):
        list(read_entries(tmp_path, list))
