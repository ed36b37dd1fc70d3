"""Rotation and mirroring: the stored picture is turned as the file asks."""

import struct

import numpy as np
import pytest

from vis.video import open_video
from vis.video.orientation import from_display_matrix

MATRICES = [
    (1, 0, 0, 1), (0, 1, -1, 0), (-1, 0, 0, -1), (0, -1, 1, 0),
    (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0),
]  # fmt: skip


@pytest.mark.parametrize("matrix", MATRICES)
def test_all_eight_orientations_move_every_pixel_as_the_matrix_says(matrix):
    a, b, c, d = matrix
    packed = struct.pack("=9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    orientation = from_display_matrix(packed)
    stored = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    shown = {(a * x + c * y, b * x + d * y): stored[y, x] for y in range(2) for x in range(3)}
    columns, rows = sorted({x for x, _ in shown}), sorted({y for _, y in shown})
    expected = np.stack([[shown[x, y] for x in columns] for y in rows])
    assert np.array_equal(orientation.upright(stored), expected)
    assert orientation.size(3, 2) == (expected.shape[1], expected.shape[0])


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_phone_clips_come_out_as_another_library_turns_them(clips, turn):
    pytest.importorskip("decord", reason="decord has no wheel for this machine")
    path = clips / f"decord__video_{turn}.mov"
    reader = open_video(path)
    assert reader.info.rotation == turn
    assert (reader.info.width > reader.info.height) == (turn % 180 == 0)
    other = open_video(path, backend="decord")
    for ours, theirs in zip(reader, other, strict=True):
        assert np.abs(ours.pixels.astype(int) - theirs.pixels).mean() < 3
