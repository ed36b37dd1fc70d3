"""A file that does not fit its model is refused with a list that a person can use."""

import pytest

from vis.errors import DataError
from vis.weights.agreement import check

MODEL = {"head.weight": (42, 384), "head.bias": (42,), "queries": (360, 384)}


def test_equal_names_and_shapes_pass() -> None:
    check(dict(reversed(MODEL.items())), MODEL)


def test_every_kind_of_disagreement_is_listed() -> None:
    found = {"head.weight": (41, 384), "head.bias_": (42,), "queries": (360, 384)}
    with pytest.raises(DataError) as caught:
        check(found, MODEL, remedy="Do this.")
    text = str(caught.value)
    assert "1 of another shape: head.weight is (41, 384), not (42, 384)" in text
    assert "1 missing: head.bias (42,) (perhaps head.bias_)" in text
    assert "1 unexpected: head.bias_ (42,)" in text
    assert text.endswith("Do this.")


def test_long_lists_are_cut() -> None:
    wanted = {f"layer.{i}": (i,) for i in range(100)}
    with pytest.raises(DataError, match="and 95 more") as caught:
        check({}, wanted)
    assert "100 missing: layer.0 (0,), layer.1 (1,)" in str(caught.value)
    assert len(str(caught.value)) < 300
