"""Rows of class heads go to classes of the same name, and to no other."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.weights.test_initialise import copy_of, saved, small
from vis import models, weights
from vis.weights import class_rows
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
        ("decoder.head.bias", 9, None),  # of no such classes
    ],
)
def test_rows_lie_as_the_model_has_them(name: str, theirs: int, expected: Any):
    own = torch.full((len(expected or "abc"),), -1.0)
    heads, _ = carried({name: torch.arange(theirs) * 1.0}, {name: own}, THEIRS, OURS[:3])
    assert (heads[name].tolist() if heads else None) == expected


def test_the_layers_before_the_rows_of_an_mlp_go_with_them(tmp_path: Path):
    before, model = (small("tt_srn", classes=4, class_sines=2) for _ in range(2))
    before.class_names, model.class_names = THEIRS, OURS
    fresh, theirs = copy_of(model), copy_of(before)
    weights.initialise(model, saved(tmp_path / "x", before))
    heads = [name for name in fresh if name.startswith("class_head.")]
    assert len(heads) == 8
    for name in heads[:6]:
        assert torch.equal(model.state_dict()[name], theirs[name])
    for name in heads[6:]:  # row 0 is of empty boxes, the last of no object
        rows = [theirs[name][r] for r in (0, 3)] + [fresh[name][2], theirs[name][1]]
        expected = torch.stack([*rows, fresh[name][4], theirs[name][5]])
        assert torch.equal(model.state_dict()[name], expected)
    narrow = small("tt_srn", classes=4, class_sines=1)
    narrow.class_names = OURS
    report = weights.initialise(narrow, tmp_path / "x")
    assert not report.classes and {name for name in report.missing if "class_head" in name}


@pytest.mark.parametrize("decoder", ["mask", "linear"])
def test_a_segmenter_has_tokens_or_rows_of_the_same_names(tmp_path: Path, decoder: str):
    settings = {"d_model": 32, "depth": 2, "num_heads": 2, "decoder_heads": 2, "image": 32}
    settings |= {"patch": 8, "background": True, "decoder": decoder}
    before, model = (models.build("segmenter", classes=n, **settings) for n in (4, 3))
    before.class_names, model.class_names = THEIRS, OURS[:3]
    fresh, theirs = copy_of(model), copy_of(before)
    report = weights.initialise(model, saved(tmp_path / "x", before))
    assert report.classes.startswith("2 of 3 classes")
    names = [name for name in fresh if re.fullmatch(class_rows.HEAD, name)]
    assert len(names) == (2 if decoder == "linear" else 3)
    for name in names:
        own, old, new = (
            x[name].squeeze(0) if name == class_rows.TOKENS else x[name]
            for x in (model.state_dict(), theirs, fresh)
        )
        assert torch.equal(own, torch.stack([old[2], new[1], old[0], old[4]]))
