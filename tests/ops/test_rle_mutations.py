import random

import numpy as np

from vis.errors import MaskError
from vis.ops import rle
from vis.ops.rle import parse_rle


def slow_runs(counts, pixels):
    """Runs of a code by the book, one character after another; None of what is no code."""
    if isinstance(counts, list):
        whole = all(type(run) in (int, float) and run == int(run) for run in counts)
        sound = whole and all(0 <= run <= pixels for run in counts)
        return [int(run) for run in counts] if sound else None
    runs, number, place = [], 0, 0
    for character in counts if isinstance(counts, bytes) else map(ord, counts):
        bits = character - 48
        if not 0 <= bits < 64 or place == 7:
            return None
        number += (bits & 31) * 32**place
        place += 1
        if bits < 32:
            number -= 32**place if bits & 16 else 0
            number += runs[-2] if len(runs) > 2 else 0
            if not 0 <= number <= pixels:
                return None
            runs.append(number)
            number, place = 0, 0
    return runs if place == 0 else None


def slow_decode(value):
    """The pixels, column by column, as one list; None of what is no mask."""
    try:
        size, counts = value["size"], value["counts"]
        if len(size) != 2 or any(type(side) not in (int, float) for side in size):
            return None
    except (TypeError, KeyError):
        return None
    height, width = map(int, size)
    if not (0 < height <= 32768 and 0 < width <= 32768 and height * width <= 2**26):
        return None
    if not isinstance(counts, str | bytes | list):
        return None
    runs = slow_runs(counts, height * width)
    if runs is None or sum(runs) != height * width:
        return None
    return [bool(index % 2) for index, run in enumerate(runs) for _ in range(run)]


def block(height, width, seed):
    """A mask of squares, whose code has short and long numbers."""
    coarse = np.random.default_rng(seed).random((-(-height // 4), -(-width // 4))) < 0.5
    return np.kron(coarse, np.ones((4, 4), bool))[:height, :width]


def mutate(value, draw):
    """One small damage to a sound mask: to bytes, size or runs, or one that keeps the sum."""
    size, counts = list(value["size"]), value["counts"]
    kind = draw.randrange(9)
    if kind == 0:
        size[draw.randrange(2)] += draw.choice([-1, 1, 1000, -40, 0.0])
    elif kind == 1:
        size.reverse()
    elif kind == 2:
        counts = bytearray(counts)
        counts[draw.randrange(len(counts))] = draw.randrange(256)
        counts = bytes(counts)
    elif kind == 3:
        counts = counts[: draw.randrange(len(counts))]
    elif kind == 4:
        at = draw.randrange(len(counts) + 1)
        counts = (
            counts[:at] + bytes(draw.choices(range(44, 114), k=draw.randrange(1, 4))) + counts[at:]
        )
    elif kind == 5:
        at = draw.randrange(len(counts))
        counts = (
            counts[:at] + bytes([counts[at] ^ 1 << draw.randrange(8)]) + counts[at + 1 :]
        ).decode("latin-1")
    else:
        counts = slow_runs(counts, 10**6) or [0]
        at = draw.randrange(len(counts))
        if kind == 6:
            counts[at] += draw.choice([-1, 1, -(10**9), 2**40, 0.5])
        elif kind == 7:
            counts[at:at] = [0] * draw.randrange(1, 5)
        else:
            moved = draw.randrange(-3, 4)
            counts[at] -= moved
            counts[draw.randrange(len(counts))] += moved
    return {"size": size, "counts": counts}


def test_mutated_codes_are_refused_or_decoded_right():
    draw = random.Random(20)
    shapes = [(1, 1), (1, 9), (7, 1), (5, 6), (24, 40)]
    sound = [rle.encode(block(*shapes[k % 5], k)) for k in range(60)]
    seen = {True: 0, False: 0}
    for _ in range(20_000):
        code = draw.choice(sound)
        value = {"size": [code.height, code.width], "counts": code.counts}
        for _ in range(draw.choice([1, 1, 2])):
            if isinstance(value["counts"], bytes) and value["counts"]:
                value = mutate(value, draw)
        truth = slow_decode(value)
        try:
            mask = rle.decode(parse_rle(value))
        except MaskError:
            mask = None
        if mask is not None:
            assert mask.ravel(order="F").tolist() == truth, value
        elif truth is not None:
            # the one rule that the slow decoder leaves out: no mask needs so many entries
            assert len(value["counts"]) > 2 * len(truth) + 64
        seen[mask is not None] += 1
    assert seen[True] > 1000 and seen[False] > 10_000


def test_mutated_codes_that_pass_are_safe_for_native_code():
    draw = random.Random(21)
    sound = [rle.encode(block(9, 11, seed)) for seed in range(20)]
    for _ in range(2000):
        code = draw.choice(sound)
        value = mutate({"size": [code.height, code.width], "counts": code.counts}, draw)
        try:
            passed = parse_rle(value, (9, 11))
        except MaskError:
            continue
        dense = rle.decode(passed)
        assert rle.encode(dense) == passed, "every mask has one record"
        assert rle.area(passed) == dense.sum()
        other = draw.choice(sound)
        assert rle.merge([passed, other]) == rle.encode(dense | rle.decode(other))
