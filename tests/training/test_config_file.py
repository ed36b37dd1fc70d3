"""Configurations are plain tables: what YAML would read otherwise, or could do harm, is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vis.errors import DataError, InputError
from vis.training.config_file import MAX_BYTES, dump_yaml, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-4", 1e-4), ("1.5e3", 1500.0), (".5", 0.5), ("3.", 3.0), ("-2", -2), ("0", 0),
        ("010x", "010x"), ("2026-01-01", "2026-01-01"), ("nan", "nan"), ("-1E+3", -1000.0),
        ("true", True), ("null", None), ("~", None), ("", None),
        ("'1e-4'", "1e-4"), ('"true"', "true"), ("[1, a, [2.0]]", [1, "a", [2.0]]),
        ("{a: 1, b: {c: x}}", {"a": 1, "b": {"c": "x"}}), ("a:\n  - 1\n  - b", {"a": [1, "b"]}),
        ("# nothing", None),
    ],
)  # fmt: skip
def test_words_mean_what_people_mean(text: str, value: object):
    value_read = parse_yaml(text)
    assert value_read == value and type(value_read) is type(value)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("a: 1\na: 2", "'a' is there twice"),
        ("a: &x [1]\nb: *x", "anchors"),
        ("b: *x", "anchors|alias"),
        ("a: {<<: {b: 1}}", "no text"),
        ("{on: 1}", "no text"),
        ("!!python/object/apply:os.system [ls]", "tags"),
        ("a: !!str 3", "tags"),
        ("? [1, 2]\n: 3", "no text"),
        ("a: [1", "not plain YAML"),
        ("a: 1\n---\nb: 2", "another document"),
        ("a: \x00", "not plain YAML"),
    ],
)
def test_all_else_is_refused(text: str, word: str):
    with pytest.raises(DataError, match=word):
        parse_yaml(text)


def test_faults_name_file_and_line(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_text("a: 1\nb: 2\na: 3\n")
    with pytest.raises(DataError, match=r"c\.yaml: line 3"):
        read_yaml(path)
    for content, word in ((b"- 1", "table"), (b"\xff", "UTF-8"), (b"a" * MAX_BYTES * 2, "bytes")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=word):
            read_yaml(path)
    with pytest.raises(InputError, match="none"):
        read_yaml(tmp_path / "none.yaml")


def test_bombs_are_refused():
    for text in ("[" * 100_000, "{a: " * 50_000, "a: " + "[" * 1000):
        with pytest.raises(DataError):
            parse_yaml(text)


PLAIN = st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"])
ENDS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(PLAIN, max_size=8)
)
TABLES = st.dictionaries(
    st.text("abc_<~?-: 1", min_size=1, max_size=4).filter(lambda key: key != "<<"),
    st.recursive(
        ENDS | st.lists(ENDS, max_size=3),
        lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=3), inner, max_size=3),
        max_leaves=6,
    ),
    min_size=1,
    max_size=4,
)


@given(TABLES)
def test_what_is_written_reads_the_same(table: dict):
    value_read = parse_yaml(dump_yaml(table))
    assert value_read == table
    assert repr(value_read) == repr(table)
