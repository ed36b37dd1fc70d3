"""Natural order: numbers by their size, the rest letter by letter."""

from vis.ops.natural import natural


def test_natural_order():
    names = ["f10.png", "f9.png", "f009a.png", "a2b10", "a2b9", "a2²", "f1.png"]
    expected = ["a2b9", "a2b10", "a2²", "f1.png", "f9.png", "f009a.png", "f10.png"]
    assert sorted(names, key=natural) == expected
