import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as native

from vis.errors import MaskError
from vis.ops import rle
from vis.ops.rle import parse_rle, parse_rles
from vis.records import RLE

masks = st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda s: arrays(np.bool_, s))


def blob(height, width, seed):
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    mask = np.zeros((height, width), bool)
    for _ in range(3):
        cy, cx, a, b = draw.uniform(0, 1, 4) * [height, width, height / 2, width / 2] + [0, 0, 1, 1]
        mask |= ((y - cy) / a) ** 2 + ((x - cx) / b) ** 2 < 1
    return mask


def native_encode(mask):
    return native.encode(np.asfortranarray(mask, np.uint8))


@given(masks)
def test_encode_is_the_reference_code_and_decodes_to_itself(mask):
    code = rle.encode(mask)
    assert code == RLE(*mask.shape, native_encode(mask)["counts"])
    assert np.array_equal(rle.decode(code), mask)
    assert parse_rle(rle.to_coco(code), mask.shape) == code


@given(masks)
def test_numbers_equal_the_reference(mask):
    code = rle.encode(mask)
    assert rle.area(code) == mask.sum()
    rows, columns = np.nonzero(mask)
    if not len(rows):
        assert rle.box(code) is None
        assert rle.decode_box(code)[0].size == 0
        return
    x0, y0, x1, y1 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    assert rle.box(code) == (x0, y0, x1, y1)
    crop, box = rle.decode_box(code)
    assert box == (x0, y0, x1, y1)
    assert crop.flags.c_contiguous
    assert np.array_equal(crop, mask[y0:y1, x0:x1])


@pytest.mark.parametrize("seed", range(6))
def test_pictures_of_real_size_equal_the_reference(seed):
    mask = blob(180, 320, seed)
    code = rle.encode(mask)
    assert code.counts == native_encode(mask)["counts"]
    assert np.array_equal(rle.decode(code), mask)
    x0, y0, x1, y1 = rle.decode_box(code)[1]
    assert [x0, y0, x1 - x0, y1 - y0] == native.toBbox(native_encode(mask)).tolist()


def test_memory_order_of_the_mask_does_not_matter():
    mask = blob(30, 40, 0)
    assert rle.encode(np.asfortranarray(mask)) == rle.encode(mask)
    assert rle.encode(mask[::-1][::-1]) == rle.encode(mask)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("crowd", [[False] * 6, [True, False] * 3])
def test_iou_equals_pixels_and_reference(seed, crowd):
    dense = [blob(20, 30, 100 * seed + k) for k in range(10)]
    dense[3][:] = dense[6][:] = False
    codes = [rle.encode(mask) for mask in dense]
    overlaps = rle.iou(codes[:4], codes[4:], crowd)
    assert overlaps.shape == (4, 6)
    for i, a in enumerate(dense[:4]):
        for j, b in enumerate(dense[4:]):
            union = a.sum() if crowd[j] else (a | b).sum()
            assert overlaps[i, j] == pytest.approx((a & b).sum() / union if union else 0)
    a, b = ([native_encode(mask) for mask in part] for part in (dense[:4], dense[4:]))
    assert np.array_equal(overlaps, native.iou(a, b, crowd))


def test_iou_of_nothing_keeps_its_shape():
    one = rle.encode(np.ones((2, 2), bool))
    assert rle.iou([], [one, one]).shape == (0, 2)
    assert rle.iou([one], []).shape == (1, 0)
    assert rle.iou([one], [one]).tolist() == [[1.0]]


@given(st.lists(arrays(np.bool_, (5, 4)), min_size=1, max_size=5))
def test_merge_is_the_union(dense):
    merged = rle.merge([rle.encode(mask) for mask in dense])
    assert merged == rle.encode(np.any(dense, axis=0))


def test_masks_of_different_sizes_are_not_mixed():
    small, large = (rle.encode(np.ones(shape, bool)) for shape in [(2, 3), (3, 2)])
    for combine in (lambda: rle.merge([small, large]), lambda: rle.iou([small], [large])):
        with pytest.raises(MaskError, match="2 x 3, 3 x 2"):
            combine()
    with pytest.raises(MaskError, match="no mask"):
        rle.merge([])


@pytest.mark.parametrize(
    ("counts", "runs"),
    [
        ([0, 0, 0, 6, 0, 0], [0, 6]),
        ([2, 0, 0, 0, 4], [6]),
        ([1, 2, 0, 3], [1, 5]),
        ([0, 6, 0], [0, 6]),
        ([1, 0, 1, 3, 1], [2, 3, 1]),
        ([6, 0], [6]),
    ],
)
def test_empty_runs_are_merged_away(counts, runs):
    assert rle.to_coco(parse_rle({"size": [2, 3], "counts": counts})) == {
        "size": [2, 3],
        "counts": native.frPyObjects({"size": [2, 3], "counts": runs}, 2, 3)["counts"].decode(),
    }


def test_a_longer_way_to_write_a_number_gives_the_same_record():
    # 6 as one character, and as two of which the second repeats the sign
    assert parse_rle({"size": [2, 3], "counts": "V0"}) == parse_rle({"size": [2, 3], "counts": "6"})
    assert parse_rle({"size": [2, 3], "counts": "V0"}).counts == b"6"


FAULTS = [
    (None, "not NoneType"),
    ([[1, 2, 3]], "not list"),
    ({}, "no size and no counts"),
    ({"size": [2, 3]}, "no counts"),
    ({"size": [2, 3], "counts": None}, "counts is NoneType"),
    ({"size": [2, 3], "counts": 6}, "counts is int"),
    ({"size": None, "counts": "6"}, "two whole numbers"),
    ({"size": [2, 3, 1], "counts": "6"}, "two whole numbers"),
    ({"size": [2.5, 3], "counts": "6"}, "two whole numbers"),
    ({"size": [True, 6], "counts": "6"}, "two whole numbers"),
    ({"size": ["2", "3"], "counts": "6"}, "two whole numbers"),
    ({"size": [0, 3], "counts": "0"}, "size is 0 x 3"),
    ({"size": [2, -3], "counts": "6"}, "2 x -3"),
    ({"size": [32769, 1], "counts": "0"}, "32769 x 1, each side must be 1 to 32768"),
    ({"size": [32768, 2049], "counts": "0"}, "more than 67108864 pixels"),
    ({"size": [10**5000, 1], "counts": "0"}, "beyond 10"),
    ({"size": [3, 2], "counts": "6"}, "size is 3 x 2 but the picture is 2 x 3, .* swapped"),
    ({"size": [1, 6], "counts": "6"}, "size is 1 x 6 but the picture is 2 x 3"),
    ({"size": [2, 3], "counts": ""}, "0 entries"),
    ({"size": [2, 3], "counts": b""}, "0 entries"),
    ({"size": [2, 3], "counts": []}, "0 entries"),
    ({"size": [2, 3], "counts": "0" * 77}, "77 entries, a mask of 6 pixels has 1 to 76"),
    ({"size": [2, 3], "counts": [0] * 77}, "77 entries"),
    ({"size": [2, 3], "counts": "1/"}, "byte 47 at 1"),
    ({"size": [2, 3], "counts": "p6"}, "byte 112 at 0"),
    ({"size": [2, 3], "counts": "1\x00"}, "byte 0 at 1"),
    ({"size": [2, 3], "counts": "15é"}, "byte 195 at 2"),
    ({"size": [2, 3], "counts": "15\ud800"}, "byte 237 at 2"),
    ({"size": [2, 3], "counts": "1Q"}, "stops inside a number after 2 characters"),
    ({"size": [2, 3], "counts": "PPPPPPP0"}, "a number of 8 characters"),
    ({"size": [2, 3], "counts": "5"}, "cover 5 pixels but the mask has 6"),
    ({"size": [2, 3], "counts": "16"}, "cover 7 pixels"),
    ({"size": [2, 3], "counts": "O7"}, "run 0 is -1"),
    ({"size": [2, 3], "counts": "7"}, "run 0 is 7 pixels long, outside 0 to 6"),
    ({"size": [2, 3], "counts": [1, 4]}, "cover 5 pixels"),
    ({"size": [2, 3], "counts": [1, 5.5]}, r"counts\[1\] is float"),
    ({"size": [2, 3], "counts": [True, 5]}, r"counts\[0\] is bool"),
    ({"size": [2, 3], "counts": ["6"]}, r"counts\[0\] is str"),
    ({"size": [2, 3], "counts": [-1, 7]}, r"counts\[0\] is -1, outside 0 to 6"),
    ({"size": [2, 3], "counts": [10**5000]}, r"counts\[0\] is a number beyond"),
]


@pytest.mark.parametrize(("value", "said"), FAULTS)
def test_faults_are_refused_by_name(value, said):
    with pytest.raises(MaskError, match=said) as caught:
        parse_rle(value, (2, 3))
    assert caught.value.remedy
    sound = rle.to_coco(rle.encode(np.ones((2, 3), bool)))
    with pytest.raises(MaskError, match=said) as caught:
        parse_rles({4: sound, 7: value, 8: sound}, (2, 3))
    assert caught.value.where == "frame 7"


def test_joined_halves_of_a_number_are_not_taken_for_sound_masks():
    # together "P" + "06" would read as sound numbers
    with pytest.raises(MaskError, match="stops inside"):
        parse_rles(
            {0: {"size": [2, 3], "counts": "P"}, 1: {"size": [2, 3], "counts": "06"}}, (2, 3)
        )


@pytest.mark.parametrize("frames", [0, 1, 31, 32, 33, 100])
def test_masks_parsed_together_equal_masks_parsed_alone(frames):
    values = {}
    for frame in range(frames):
        mask = blob(20, 30, frame) if frame % 7 else np.full((20, 30), frame % 2 == 0)
        values[3 * frame] = rle.to_coco(rle.encode(mask))
    alone = {frame: parse_rle(value) for frame, value in values.items()}
    assert parse_rles(values, (20, 30)) == alone
    # one of another kind makes its whole group take the careful way
    listed = {**values, 1: {"size": [20, 30], "counts": [100, 0, 500]}}
    assert parse_rles(listed, (20, 30)) == {**alone, 1: RLE(20, 30, b"hb0")}


@pytest.mark.parametrize(
    "mask", [np.ones((2, 2)), np.ones((1, 2, 2), bool), np.zeros((0, 3), bool)]
)
def test_what_is_no_mask_is_not_encoded(mask):
    with pytest.raises(MaskError):
        rle.encode(mask)


@pytest.mark.parametrize("count", [0, 1, 255, 256, 600])
def test_any_number_of_areas_is_counted(count):
    masks = [rle.encode(np.arange(12).reshape(3, 4) < n % 13) for n in range(count)]
    assert rle.areas(masks).tolist() == [n % 13 for n in range(count)]


def test_whole_numbers_of_a_column_of_floats_are_read():
    mask = parse_rle({"size": [2.0, 3.0], "counts": [1.0, 5.0]})
    assert mask == parse_rle({"size": [2, 3], "counts": [1, 5]})
