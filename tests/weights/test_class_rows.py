"""Rows of class heads go to classes of the same name, and to no other."""

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.weights.test_initialise import copy_of, saved, small
from vis import weights
from vis.weights.class_rows import carried

THEIRS, OURS = ("Dog ", "", "person", "cat"), ("person", "kart", "dog", "")


def test_equal_names_give_their_rows_and_all_others_begin_anew(tmp_path: Path):
    before, model = small("detr", classes=4), small("detr", classes=4)
    before.class_names, model.class_names = THEIRS, OURS
    fresh, theirs = copy_of(model), copy_of(before)
    report = weights.initialise(model, saved(tmp_path / "x", before))
    for name in ("class_head.weight", "class_head.bias"):
        # the last row is "no object"
        expected = torch.stack(
            [theirs[name][2], fresh[name][1], theirs[name][0], fresh[name][3], theirs[name][4]]
        )
        assert torch.equal(model.state_dict()[name], expected)
    line = "2 of 4 classes carried over by name: person, dog; anew: kart, (no name)"
    assert line in str(report).splitlines()


def test_other_names_get_none(tmp_path: Path):
    before, model = small("detr"), small("detr")
    before.class_names, model.class_names = tuple("abcde"), tuple("vwxyz")
    fresh = copy_of(model)
    report = weights.initialise(model, saved(tmp_path / "x", before))
    assert torch.equal(model.class_head.weight, fresh["class_head.weight"]) and not report.classes


@pytest.mark.parametrize(
    ("name", "theirs", "expected"),
    [
        ("class_heads.0.bias", 12, [2, -1, 0, 6, -1, 4, 10, -1, 8]),  # three anchors
        ("class_head.bias", 6, [0, 3, -1, 1, 5]),  # VisTR's: one before, one after
        ("class_head.0.bias", 4, None),  # of an MLP
    ],
)
def test_rows_lie_as_the_model_has_them(name: str, theirs: int, expected: Any):
    own = torch.full((len(expected or "abc"),), -1.0)
    heads, _ = carried({name: torch.arange(theirs) * 1.0}, {name: own}, THEIRS, OURS[:3])
    assert (heads[name].tolist() if heads else None) == expected
