"""decord and torchcodec give the same frames, or are refused."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import setuptools

from vis.errors import DeviceError, UsageError
from vis.video import open_video


@pytest.mark.parametrize("name", ["h264", "h264_one_group", "hevc", "vp9", "h264_variable"])
def test_decord_agrees_frame_by_frame(name, films, read_code):
    pytest.importorskip("decord", reason="decord has no wheel for this machine")
    ours = list(open_video(films(name)))
    with open_video(films(name), backend="decord") as reader:
        theirs = list(reader)
        assert [(f.index, f.time) for f in theirs] == [(f.index, f.time) for f in ours]
        assert [read_code(f.pixels) for f in theirs] == list(range(60))
        order = np.random.default_rng(1).permutation(60)[:20].tolist()
        assert [read_code(p) for p in reader.clip(order)] == order


@pytest.mark.parametrize(
    "name", ["transport", "transport_mpeg2", "av1", "gif", "h264_open_groups", "mpeg4", "mpeg4_avi"]
)
def test_decord_is_refused_where_it_is_wrong(name, films):
    with pytest.raises(UsageError, match=r"decord returns wrong frames for") as caught:
        open_video(films(name), backend="decord")
    assert "backend av" in caught.value.remedy


def test_torchcodec_agrees_or_says_that_it_is_not_there(films, read_code):
    try:
        reader = open_video(films("h264_variable"), backend="torchcodec")
    except DeviceError as error:
        assert "vis-kit[torchcodec]" in error.remedy  # noqa: PT017
        return
    assert [read_code(frame.pixels) for frame in reader] == list(range(60))


@pytest.mark.parametrize(
    ("name", "module"), [("decord", "decord"), ("torchcodec", "torchcodec.decoders")]
)
def test_a_backend_that_is_not_installed_says_what_to_type(name, module, films, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DeviceError) as caught:
        open_video(films("h264"), backend=name)
    assert f"pip install 'vis-kit[{name}]'" in caught.value.remedy
    assert "backend av" in caught.value.remedy


def test_no_backend_but_our_own_is_installed_for_everybody(monkeypatch):
    stated = {}
    monkeypatch.setattr(setuptools, "setup", stated.update)
    runpy.run_path(str(Path(__file__).parents[2] / "setup.py"))
    for name in ("decord", "torchcodec"):
        assert not any(one.startswith(name) for one in stated["install_requires"])
        assert stated["extras_require"][name][0].startswith(name)
    assert stated["extras_require"]["decord"][0] in stated["extras_require"]["dev"]


def test_an_unknown_backend_is_a_usage_error(films):
    with pytest.raises(UsageError, match="no backend 'cv2'"):
        open_video(films("h264"), backend="cv2")
