"""Probing: what is counted is what is there."""

import pytest

from vis.video import probe


@pytest.mark.parametrize(
    ("name", "variable"), [("h264", False), ("h264_variable", True), ("gif", False)]
)
def test_counts_rate_and_variability(name, variable, films):
    report = probe(films(name))
    assert (report.decoded, report.lost, report.problems) == (60, 0, ())
    assert report.variable is variable
    assert report.frame_rate == pytest.approx(25, rel=0.02)


def test_one_frame_has_the_stated_rate(films):
    report = probe(films("one_frame"))
    assert (report.decoded, report.variable, report.frame_rate) == (1, False, 25)


def test_the_corrupt_clip_is_told(clips):
    report = probe(clips / "decord__corrupted.mp4")
    assert (report.info.frames, report.decoded, report.lost) == (50, 49, 1)
    assert report.problems


def test_every_clean_clip_is_clean(clips):
    """No false alarm, 28 clips but the one that is broken."""
    for path in sorted(clips.iterdir()):
        if "corrupted" not in path.name:
            assert probe(path).problems == (), path.name


def test_frames_lost_behind_the_last_one_are_not_counted_into_the_rate(films, tmp_path):
    whole = films("vp9").read_bytes()
    (tmp_path / "cut.webm").write_bytes(whole[: len(whole) // 2])
    report = probe(tmp_path / "cut.webm")
    assert report.lost > 10
    assert report.frame_rate == 25
