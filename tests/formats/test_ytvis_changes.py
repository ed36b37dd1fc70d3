import random

import pytest

from vis.errors import VisError
from vis.formats.ytvis import read_annotations, read_tracks

ODD = [
    None, True, False, 0, 1, -1, 2**40, 10**30, 0.5, -0.0, 1e308, "", "3", "\0", "a" * 100,
    "é\ud800", [], [None], [[]], [0, 0, 1, 1, 2, 2], [[0, 0, 1, 1, 2, 2]], {}, {"id": 3},
    {"size": [6, 8]}, {"size": [6, 8], "counts": "`1"}, {"size": [8, 6], "counts": [0, 48]},
]  # fmt: skip


def places(value, path=()):
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield (*path, key)
        if isinstance(inner, dict | list):
            yield from places(inner, (*path, key))


@pytest.mark.parametrize("sound", ["truth", "results"])
def test_any_single_change_is_read_or_refused_in_one_clear_line(
    write, truth, results, changed, sound
):
    draw = random.Random(8)
    known = read_annotations(write(truth))
    value = truth if sound == "truth" else results
    refused = 0
    for place in places(value):
        for new in [*draw.sample(ODD, 8), ...]:
            path = write(changed(value, place, new), "odd.json")
            for whole in (None, known):
                faults = []
                try:
                    read_tracks(path, whole, faults)
                except VisError as error:
                    faults.append(error)
                for fault in faults:
                    line = str(fault)
                    assert line.startswith(f"{path}: ") and "\n" not in line and len(line) < 700
                    assert fault.remedy
                refused += bool(faults)
    assert refused > 300
