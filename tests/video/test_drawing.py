"""Drawing: only what belongs to an object changes, and colours stay with identities."""

from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from vis.errors import UsageError
from vis.ops.colours import colour
from vis.records import Frame, FrameTracks
from vis.video.drawing import DrawStyle, draw, draw_on

FILLS = DrawStyle(contour=0, boxes=False, labels=False)
CONTOURS = DrawStyle(opacity=0, boxes=False, labels=False)
BOXES = DrawStyle(opacity=0, contour=0, labels=False)
LABELS = DrawStyle(opacity=0, contour=0, boxes=False)
NOWHERE = (np.nan,) * 4


def noise(height, width):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Frame(4, Fraction(4, 25), pixels)


def grey(height, width, level=90):
    return Frame(4, Fraction(4, 25), np.full((height, width, 3), level, np.uint8))


def tracked(masks, boxes=None, ids=None, scores=None):
    count = len(masks)
    return FrameTracks(
        index=4,
        time=Fraction(4, 25),
        ids=np.arange(count) if ids is None else np.array(ids, np.int64),
        labels=np.arange(count) % 3,
        scores=np.linspace(0.5, 0.9, count) if scores is None else np.array(scores, np.float32),
        boxes=np.array([tight(m) for m in masks] if boxes is None else boxes).reshape(-1, 4),
        masks=np.array(masks),
    )


def tight(mask):
    """The box of a mask, as fractions."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return NOWHERE
    height, width = mask.shape
    top, bottom = rows[0] / height, (rows[-1] + 1) / height
    return columns[0] / width, top, (columns[-1] + 1) / width, bottom


def ellipses(height, width, count, seed=1):
    random, (rows, columns) = np.random.default_rng(seed), np.mgrid[:height, :width]
    centres, radii = random.random((count, 2)), random.uniform(0.1, 0.2, (count, 2))
    masks = []
    for (y, x), (tall, wide) in zip(centres, radii, strict=True):
        rise, run = (rows + 0.5) / height - y, (columns + 0.5) / width - x
        masks.append((rise / tall) ** 2 + (run / wide) ** 2 < 1)
    return masks


def grown(mask, reach):
    """All pixels within `reach` rows and columns of the mask."""
    height, width = mask.shape
    padded = np.pad(mask, reach)
    shifts = [(dy, dx) for dy in range(2 * reach + 1) for dx in range(2 * reach + 1)]
    return np.logical_or.reduce([padded[y : y + height, x : x + width] for y, x in shifts])


def changed(before, after):
    return (before.pixels != after.pixels).any(axis=2)


def test_pixels_of_no_object_are_untouched_and_the_input_too():
    frame, masks = noise(90, 120), ellipses(90, 120, 5)
    before = frame.pixels.copy()
    drawn = draw(frame, tracked(masks), style=replace(DrawStyle(), labels=False))
    allowed = np.zeros((90, 120), bool)
    for mask in masks:
        allowed |= grown(mask, 2)
        x0, y0, x1, y1 = np.rint(np.array(tight(mask)) * (120, 90, 120, 90)).astype(int)
        block = np.zeros((90, 120), bool)
        block[y0:y1, x0:x1] = True
        allowed |= grown(block, 1)
    assert not changed(frame, drawn)[~allowed].any()
    assert changed(frame, drawn).mean() > 0.2
    assert (frame.pixels == before).all() and not np.shares_memory(frame.pixels, drawn.pixels)
    assert (drawn.index, drawn.time) == (frame.index, frame.time)
    assert drawn.pixels.dtype == np.uint8 and drawn.pixels.flags.writeable


def test_a_mask_is_blended_with_its_colour():
    frame, [mask] = noise(60, 80), ellipses(60, 80, 1)
    for opacity in (0.0, 0.3, 1.0):
        drawn = draw(frame, tracked([mask], ids=[6]), style=replace(FILLS, opacity=opacity))
        expected = frame.pixels * (1 - opacity) + np.array(colour(6)) * opacity
        assert np.abs(drawn.pixels[mask] - expected[mask]).max() <= 1.5
        assert not changed(frame, drawn)[~mask].any()


def test_an_identity_keeps_its_colour_from_frame_to_frame():
    first, second = ellipses(60, 80, 2)
    early = draw(grey(60, 80), tracked([first], ids=[17]), style=FILLS)
    late = draw(grey(60, 80), tracked([first, second], ids=[3, 17], scores=[0.1, 0.9]), style=FILLS)
    assert (early.pixels[first][0] == late.pixels[second][0]).all()


def test_the_order_of_rows_changes_nothing():
    tracks = tracked(ellipses(90, 120, 6))
    order = [4, 2, 0, 5, 1, 3]
    arrays = {f.name: getattr(tracks, f.name) for f in fields(tracks)[2:]}
    shuffled = replace(tracks, **{name: array[order] for name, array in arrays.items()})
    equal = replace(tracks, scores=np.full(6, 0.5))
    equal_shuffled = replace(shuffled, scores=np.full(6, 0.5))
    for one, other in ((tracks, shuffled), (equal, equal_shuffled)):
        assert (draw(noise(90, 120), one).pixels == draw(noise(90, 120), other).pixels).all()


def test_drawing_twice_gives_the_same_picture():
    tracks = tracked(ellipses(90, 120, 6))
    assert (draw(noise(90, 120), tracks).pixels == draw(noise(90, 120), tracks).pixels).all()


def test_on_the_picture_itself_it_looks_the_same():
    frame, tracks = noise(90, 160), tracked(ellipses(90, 160, 4))
    drawn = draw(frame, tracks)
    draw_on(frame.pixels, tracks)
    np.testing.assert_array_equal(frame.pixels, drawn.pixels)


@pytest.mark.parametrize("opacity", [0.2, 0.6, 1.0])
def test_blending_is_rounded_to_the_nearest_wherever_the_mask_is(opacity):
    frame, masks = noise(200, 60), ellipses(200, 60, 3)
    masks[0] = np.ones((200, 60), np.bool_)
    expected, alpha = frame.pixels.astype(np.float64), round(255 * opacity) / 255
    for n, mask in enumerate(masks):
        expected[mask] = np.rint((1 - alpha) * expected[mask] + alpha * np.array(colour(n)))
    drawn = draw(frame, tracked(masks), style=replace(FILLS, opacity=opacity))
    np.testing.assert_array_equal(drawn.pixels, expected)


def test_masks_of_any_resolution_are_enlarged_like_the_whole():
    coarse = np.random.default_rng(2).random((4, 9, 12), np.float32)
    resized = [Image.fromarray(m).resize((121, 91), Image.Resampling.BILINEAR) for m in coarse]
    fine = np.array([np.asarray(m) > 0.5 for m in resized])
    boxes = [(0.1, 0.1, 0.8, 0.7)] * 4
    small, large = (draw(noise(91, 121), tracked(masks, boxes)) for masks in (coarse, fine))
    assert (small.pixels == large.pixels).all()


def test_the_surest_is_on_top_and_hidden_contours_show():
    outer, inner = np.ones((80, 80), bool), np.zeros((80, 80), bool)
    inner[20:60, 20:60] = True
    for scores in ([0.9, 0.1], [0.1, 0.9]):
        tracks = tracked([outer, inner], scores=scores)
        drawn = draw(grey(80, 80), tracks, style=replace(FILLS, opacity=1))
        assert tuple(drawn.pixels[40, 40]) == colour(int(np.argmax(scores)))
        drawn = draw(grey(80, 80), tracks, style=replace(DrawStyle(), boxes=False, labels=False))
        assert tuple(drawn.pixels[40, 20]) == colour(1)


@pytest.mark.parametrize(
    "box",
    [
        NOWHERE,
        (0.2, 0.2, np.nan, 0.8),
        (0.5, 0.2, 0.5, 0.8),
        (0.8, 0.2, 0.2, 0.8),
        (1.2, 0.1, 1.7, 0.8),
        (-0.5, -0.4, -0.1, 0.0),
        (np.inf, np.inf, np.inf, np.inf),
    ],
)
def test_boxes_without_area_in_the_picture_are_not_drawn(box):
    frame = grey(50, 60)
    drawn = draw(frame, tracked([np.zeros((50, 60), bool)], [box]))
    assert not changed(frame, drawn).any()


def test_a_box_is_a_line_along_its_inside_and_a_rim():
    frame = grey(50, 60, 200)
    drawn = draw(frame, tracked([np.zeros((5, 6), bool)], [(0.2, 0.2, 0.6, 0.8)]), style=BOXES)
    inside = np.zeros((50, 60), bool)
    inside[10:40, 12:36] = True
    hollow = np.zeros((50, 60), bool)
    hollow[11:39, 13:35] = True
    assert (changed(frame, drawn) == grown(inside, 1) & ~hollow).all()
    assert (drawn.pixels[inside & ~hollow] == colour(0)).all()
    assert (drawn.pixels[grown(inside, 1) & ~inside] < 200).all()


def test_a_box_beyond_the_picture_is_cut_to_it():
    tracks = [tracked([np.zeros((5, 6), bool)], [b]) for b in ((-1, -2, 3, 4), (0, 0, 1, 1))]
    beyond, exact = (draw(grey(50, 60), one, style=BOXES).pixels for one in tracks)
    assert (beyond == exact).all() and (exact[0] == colour(0)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (24, 30), (33, 17), (241, 319)])
@pytest.mark.parametrize("cells", [(1, 1), (6, 8), (24, 30), (90, 160)])
@pytest.mark.parametrize("kind", [np.bool_, np.float32])
def test_any_size_of_picture_and_mask(size, cells, kind):
    masks = np.array([*ellipses(*cells, 3), np.zeros(cells, bool), np.ones(cells, bool)])
    corners = [(0, 0, 0.1, 0.1), (0.9, 0, 1, 0.1), (0, 0.9, 0.1, 1), (0.9, 0.9, 1, 1), NOWHERE]
    drawn = draw(noise(*size), tracked(masks.astype(kind), corners))
    assert drawn.pixels.shape == (*size, 3)
    assert changed(noise(*size), drawn).any()


def test_a_huge_picture():
    frame = grey(2160, 3840)
    masks = np.zeros((2, 90, 160), np.float32)
    masks[0, 10:50, 20:70] = masks[1, 40:90, 60:160] = 0.9
    drawn = draw(frame, tracked(masks))
    assert changed(frame, drawn)[720, 1080] and not changed(frame, drawn)[2000, 100]


@pytest.mark.parametrize("cells", [(0, 0), (9, 16), (40, 50)])
def test_a_frame_without_objects_stays_as_it_is(cells):
    frame = noise(40, 50)
    drawn = draw(frame, tracked(np.zeros((0, *cells), bool)))
    assert not changed(frame, drawn).any() and drawn.pixels is not frame.pixels


def test_pixels_may_be_read_only_and_strided():
    frame, tracks = noise(60, 80), tracked(ellipses(60, 80, 3))
    mirrored = replace(frame, pixels=frame.pixels[:, ::-1])
    copied = replace(frame, pixels=mirrored.pixels.copy())
    mirrored.pixels.flags.writeable = False
    strided = replace(tracks, masks=np.asfortranarray(tracks.masks))
    assert (draw(mirrored, strided).pixels == draw(copied, tracks).pixels).all()


def test_labels_use_the_names_or_the_number_of_the_class():
    tracks = replace(tracked(ellipses(90, 200, 1)), labels=np.array([7]))
    pictures = [
        draw(grey(90, 200), tracks, names=names, style=LABELS).pixels
        for names in ({}, None, {7: "class 7"}, {7: "person"})
    ]
    assert (pictures[0] == pictures[1]).all() and (pictures[1] == pictures[2]).all()
    assert (pictures[2] != pictures[3]).any()


def test_an_object_without_a_box_is_labelled_at_its_mask():
    mask = np.zeros((90, 200), bool)
    mask[50:80, 100:140] = True
    boxed, bare = tracked([mask]), tracked([mask], [NOWHERE])
    pictures = [draw(grey(90, 200), tracks, style=LABELS) for tracks in (boxed, bare)]
    assert (pictures[0].pixels == pictures[1].pixels).all()
    assert changed(grey(90, 200), pictures[0])[:50, 100:].any()


def test_contours_grow_with_the_picture():
    def width(height):
        mask = np.ones((height, height), bool)
        drawn = draw(grey(height, height), tracked([mask]), style=CONTOURS)
        return int((drawn.pixels[:, height // 2] == colour(0)).all(axis=1).sum()) // 2

    assert [width(height) for height in (24, 240, 720, 1080, 2160)] == [1, 1, 2, 2, 5]


@pytest.mark.parametrize("field", ["opacity", "contour", "text"])
@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_a_style_out_of_range_is_refused(field, value):
    with pytest.raises(UsageError, match=f"DrawStyle.{field}"):
        DrawStyle(**{field: value})


def test_real_annotations_are_drawn_where_they_are(shared):
    folder = shared / "data" / "pack_dev" / "davis_dev"
    if not folder.is_dir():
        pytest.skip("the DAVIS sample is not here")
    stem = "soapbox/" + min((folder / "Annotations/soapbox").iterdir()).stem
    frame = Frame(0, Fraction(0), np.array(Image.open(folder / f"JPEGImages/{stem}.jpg")))
    truth = np.array(Image.open(folder / f"Annotations/{stem}.png"))
    masks = [truth == n for n in np.unique(truth[truth > 0])]
    drawn = draw(frame, tracked(masks), style=replace(DrawStyle(), boxes=False, labels=False))
    touched = changed(frame, drawn)
    assert touched[truth > 0].mean() > 0.98
    assert not touched[~grown(truth > 0, 2)].any()
