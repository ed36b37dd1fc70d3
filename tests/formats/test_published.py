"""The published lists, and what is said of files that are nearly one of them."""

import pytest

from vis.formats.published import LISTS, OVIS, YOUTUBE_VIS_2021, category_ids, differences
from vis.formats.ytvis_records import Category
from vis.weights import converters


def categories(names, first=1):
    return {id_: Category(id_, name) for id_, name in enumerate(names, first) if name}


def test_the_lists_have_their_counts_and_names_that_differ():
    counts = {title: sum(map(bool, names)) for title, names in LISTS.items()}
    assert list(counts.values()) == [40, 40, 25, 80]
    for title, names in LISTS.items():
        assert names[0] == "" and len({name for name in names if name}) == counts[title]
    assert list(YOUTUBE_VIS_2021) == sorted(YOUTUBE_VIS_2021)


@pytest.mark.parametrize("title", LISTS)
def test_of_a_published_list_itself_nothing_is_said(title):
    assert differences(categories(LISTS[title], first=0)) == []


@pytest.mark.parametrize(
    ("names", "first", "words"),
    [
        (YOUTUBE_VIS_2021, 0, "YouTube-VIS 2021 and 2022, but the file numbers airplane 0, not 1"),
        ((*OVIS[:-1], "Vehicle"), 1, "OVIS, but the file lacks Vehical"),
        ([name.lower() for name in OVIS], 1, "OVIS, but the file spells 'person', not 'Person'"),
        ((*LISTS["COCO"], "lamp"), 0, "COCO, but the file adds lamp"),
    ],
)
def test_what_differs_is_named(names, first, words):
    said = differences(categories(names, first))
    assert any(f"the categories are nearly those of {words}" in line for line in said), said


def test_of_own_categories_nothing_is_said():
    assert differences(categories(["person", "van"])) == []
    assert differences(categories(LISTS["COCO"][:40], first=0)) == []
    assert differences({}) == []


def test_classes_of_coco_have_its_ids_in_any_model_and_others_count_from_one():
    by_id, things = LISTS["COCO"], tuple(name for name in LISTS["COCO"] if name)
    assert category_ids(by_id) == tuple(range(91))
    assert dict(zip(things, category_ids(things), strict=True))["toothbrush"] == 90
    panoptic = converters.get("mask2former").class_names(133)
    assert len(set(panoptic)) == len(set(category_ids(panoptic))) == 133
    ids = dict(zip(panoptic, category_ids(panoptic), strict=True))
    assert [ids[name] for name in ("person", "toothbrush", "banner", "rug-merged")] == [
        *(1, 90, 92, 200)
    ]
    # A part of COCO is somebody's own data set.
    assert category_ids(("person", "dog")) == (1, 2)
    assert category_ids(("", "cup")) == (0, 1)
    assert category_ids(YOUTUBE_VIS_2021) == tuple(range(1, 41))
