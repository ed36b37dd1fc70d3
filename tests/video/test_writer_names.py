"""Where the video writer writes: names, what exists already, and what is left after an error."""

import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from vis.errors import OutputError, OutputExistsError, UsageError
from vis.records import Frame
from vis.video.writer import VideoWriter

KINDS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".gif", "")


def frames(times: list[Fraction]) -> Iterator[Frame]:
    for number, time in enumerate(times):
        yield Frame(number, time, np.full((32, 48, 3), number * 20, np.uint8))


def write(path: Path, times: list[Fraction]) -> None:
    write_all(path, frames(times))


def write_all(path: Path, shown: Iterator[Frame]) -> None:
    with VideoWriter(path) as writer:
        for frame in shown:
            writer.write(frame)


def count(path: Path) -> int:
    """How many frames a file or folder holds."""
    if path.is_dir():
        return len(list(path.glob("*.png")))
    with path.open("rb") as file, av.open(file) as container:
        return sum(1 for _ in container.decode(video=0))


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.part{path.suffix}")


def content(path: Path) -> dict[str, bytes]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {file.name: file.read_bytes() for file in files}


@pytest.mark.parametrize("name", ["out.wmv", "out.mp3", "out.m4v", "out.png", "out.mp4.txt"])
def test_another_suffix_is_refused_by_naming_those_that_work(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"\.mp4 \.mov \.mkv \.webm \.avi \.gif") as caught:
        VideoWriter(tmp_path / name)
    assert "folder" in caught.value.remedy
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["", ".", "..", "/", "a/..", "a\0.mp4"])
def test_what_is_no_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="not a name"):
        VideoWriter(name)


NAMES = (
    "with space", "a:b", "http:b", "file:x", "-o", "-", "Käse 🎬 文", "new\nline", "tab\t", "%03d",
    "a?b=c#d", "'quoted\"", "back\\slash", "concat:a|b", os.fsdecode(b"\xff\xfe"), "x.part", "..x",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in (".mp4", ".gif", "/"):
        with VideoWriter(name + kind) as writer:
            for frame in frames([Fraction(0), Fraction(1)]):
                writer.write(frame)
    found = {os.fsencode(path.name) for path in tmp_path.iterdir()}
    assert found == {os.fsencode(f"{name}{kind}") for kind in (".mp4", ".gif", "")}
    assert count(tmp_path / f"{name}.mp4") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_what_exists_is_not_touched_unless_asked(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out{kind}"
    write(path, [Fraction(0)])
    before = content(path)
    with pytest.raises(OutputExistsError, match="already") as caught:
        VideoWriter(path)
    assert "overwrit" in caught.value.remedy
    assert content(path) == before
    assert list(tmp_path.iterdir()) == [path]
    with VideoWriter(path, overwrite=True) as writer:
        for frame in frames([Fraction(0), Fraction(1), Fraction(2)]):
            writer.write(frame)
            assert content(path) == before
    assert content(path) != before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_a_name_taken_meanwhile_is_not_overwritten(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"out{kind}"
    writer = VideoWriter(path)
    for frame in frames([Fraction(0), Fraction(1)]):
        writer.write(frame)
    path.write_bytes(b"precious")
    with pytest.raises(OutputExistsError) as caught:
        writer.close()
    assert path.read_bytes() == b"precious"
    assert str(part_of(path)) in caught.value.done
    assert part_of(path).exists()


def test_a_folder_that_holds_anything_else_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write(path, [Fraction(0)])
    (path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputExistsError, match=r"thesis\.txt"):
        VideoWriter(path, overwrite=True)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OutputExistsError, match="not a folder"):
        VideoWriter(link, overwrite=True)
    assert sorted(content(path)) == ["000000.png", "thesis.txt", "times.json"]


def test_only_a_file_is_replaced_by_a_file(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").mkdir()
    with pytest.raises(OutputExistsError, match="not a file"):
        VideoWriter(tmp_path / "out.mp4", overwrite=True)


def test_an_empty_folder_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write(tmp_path / "out", [Fraction(0)])
    assert sorted(content(tmp_path / "out")) == ["000000.png", "times.json"]


@pytest.mark.parametrize("kind", KINDS)
def test_missing_parents_are_made(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a" / "b" / f"out{kind}"
    write(path, [Fraction(0)])
    assert path.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_no_frame_is_an_error_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OutputError, match="no frame"):
        write(tmp_path / f"out{kind}", [])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_leaves_a_playable_part_and_the_next_run_replaces_it(
    tmp_path: Path, kind: str
) -> None:
    def broken() -> Iterator[Frame]:
        yield from frames([Fraction(n, 10) for n in range(9)])
        raise RuntimeError("the model broke")

    path = tmp_path / f"out{kind}"
    part = part_of(path)
    with pytest.raises(RuntimeError, match="model") as caught:
        write_all(path, broken())
    assert list(tmp_path.iterdir()) == [part]
    assert caught.value.__notes__ == [f"The frames so far (9) are kept in {part}"]
    assert count(part) == 9
    write(path, [Fraction(0), Fraction(1)])
    assert list(tmp_path.iterdir()) == [path]
    assert count(path) == 2


def test_our_own_error_says_where_the_part_is(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not after") as caught:
        write(tmp_path / "out.mp4", [Fraction(0), Fraction(0)])
    assert caught.value.done == f"The frames so far (1) are kept in {tmp_path / 'out.part.mp4'}"


def test_a_stale_part_that_is_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / "out.part.mp4").symlink_to(victim)
    write(tmp_path / "out.mp4", [Fraction(0)])
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "out.mp4").is_symlink()


def test_closing_twice_does_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    writer = VideoWriter(path)
    for frame in frames([Fraction(0), Fraction(1)]):
        writer.write(frame)
    writer.close()
    before = path.read_bytes()
    writer.close()
    writer.stop()
    assert path.read_bytes() == before
