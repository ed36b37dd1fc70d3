import pytest

from vis.datasets.classes import classes_of
from vis.errors import DataError, UsageError
from vis.formats.ytvis_records import Category

CATEGORIES = {
    8: Category(8, "rhino", {"demo_class": "large-animal"}),
    2: Category(2, "person", {"demo_class": "person"}),
    5: Category(5, "elephant", {"demo_class": "large-animal"}),
    6: Category(6, "cup", {"demo_class": None}),
}


def test_without_names_the_categories_are_the_classes_in_the_order_of_their_ids():
    classes = classes_of(CATEGORIES)
    assert classes.names == ("person", "elephant", "cup", "rhino")
    assert classes.indices == {2: 0, 5: 1, 6: 2, 8: 3}
    assert classes.labelled is None


def test_several_categories_can_be_one_class_and_others_none():
    classes = classes_of(CATEGORIES, key="demo_class")
    assert classes.names == ("person", "large-animal")
    assert classes.indices == {2: 0, 5: 1, 8: 1}


def test_classes_that_no_category_has_are_not_labelled():
    classes = classes_of(CATEGORIES, ["dog", "person", "rhino"])
    assert classes.indices == {2: 1, 8: 2}
    assert classes.labelled.tolist() == [False, True, True]


def test_a_category_of_another_name_is_renamed():
    classes = classes_of(CATEGORIES, ["human"], renamed={"person": "human"})
    assert classes.indices == {2: 0}


def test_what_cannot_be_matched_is_named():
    with pytest.raises(DataError, match=r"'name' among the classes \(dog\).*person, elephant"):
        classes_of(CATEGORIES, ["dog"])
    with pytest.raises(UsageError, match=r"'pearson'.*There are: person, elephant, cup, rhino"):
        classes_of(CATEGORIES, renamed={"pearson": "dog"})
    with pytest.raises(UsageError, match="twice"):
        classes_of(CATEGORIES, ["person", "person"])


def test_rows_without_a_name_are_no_class():
    """Models of COCO by category id have several."""
    classes = classes_of(CATEGORIES | {9: Category(9, "")}, ["", "person", "", "cup"])
    assert classes.indices == {2: 1, 6: 3}
    assert classes.labelled.tolist() == [False, True, False, True]


def test_names_that_differ_in_capitals_and_blanks_alone_are_one():
    called = {1: Category(1, "Traffic_light"), 2: Category(2, "Cat"), 3: Category(3, "giant-panda")}
    classes = classes_of(called, ["cat", "traffic light", "giant_panda"])
    assert classes.indices == {1: 1, 2: 0, 3: 2}
    # where it could be either, it is neither; an exact name is nobody else's
    assert classes_of(called, ["CAT", "cat", "giant panda"]).indices == {3: 2}
    assert classes_of({**called, 4: Category(4, "cat")}, ["cat"]).indices == {4: 0}
