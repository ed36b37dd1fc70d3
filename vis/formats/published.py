"""The categories of published data sets, and where a file that resembles one differs from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from vis.formats.ytvis_records import Category

# fmt: off
YOUTUBE_VIS_2019 = (
    "person", "giant_panda", "lizard", "parrot", "skateboard", "sedan", "ape", "dog", "snake",
    "monkey", "hand", "rabbit", "duck", "cat", "cow", "fish", "train", "horse", "turtle", "bear",
    "motorbike", "giraffe", "leopard", "fox", "deer", "owl", "surfboard", "airplane", "truck",
    "zebra", "tiger", "elephant", "snowboard", "boat", "shark", "mouse", "frog", "eagle",
    "earless_seal", "tennis_racket",
)
"""Categories 1 to 40, in the order of their ids."""

YOUTUBE_VIS_2021 = (
    "airplane", "bear", "bird", "boat", "car", "cat", "cow", "deer", "dog", "duck", "earless_seal",
    "elephant", "fish", "flying_disc", "fox", "frog", "giant_panda", "giraffe", "horse", "leopard",
    "lizard", "monkey", "motorbike", "mouse", "parrot", "person", "rabbit", "shark", "skateboard",
    "snake", "snowboard", "squirrel", "surfboard", "tennis_racket", "tiger", "train", "truck",
    "turtle", "whale", "zebra",
)
"""Likewise; 2022 has the same."""

OVIS = (
    "Person", "Bird", "Cat", "Dog", "Horse", "Sheep", "Cow", "Elephant", "Bear", "Zebra",
    "Giraffe", "Poultry", "Giant_panda", "Lizard", "Parrot", "Monkey", "Rabbit", "Tiger", "Fish",
    "Turtle", "Bicycle", "Motorcycle", "Airplane", "Boat", "Vehical",
)
"""Categories 1 to 25, in the order of their ids; the last is spelt as it is published."""

COCO = (
    "", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "", "stop sign", "parking meter", "bench", "bird", "cat",
    "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "", "backpack",
    "umbrella", "", "", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket",
    "bottle", "", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair",
    "couch", "potted plant", "bed", "", "dining table", "", "", "toilet", "", "tv", "laptop",
    "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "", "book", "clock", "vase", "scissors", "teddy bear", "hair drier",
    "toothbrush",
)
"""By category id, 0 to 90; 80 of them have a name."""

COCO_REGIONS = {
    92: "banner", 93: "blanket", 95: "bridge", 100: "cardboard", 107: "counter", 109: "curtain",
    112: "door-stuff", 118: "floor-wood", 119: "flower", 122: "fruit", 125: "gravel",
    128: "house", 130: "light", 133: "mirror-stuff", 138: "net", 141: "pillow", 144: "platform",
    145: "playingfield", 147: "railroad", 148: "river", 149: "road", 151: "roof", 154: "sand",
    155: "sea", 156: "shelf", 159: "snow", 161: "stairs", 166: "tent", 168: "towel",
    171: "wall-brick", 175: "wall-stone", 176: "wall-tile", 177: "wall-wood", 178: "water-other",
    180: "window-blind", 181: "window-other", 184: "tree-merged", 185: "fence-merged",
    186: "ceiling-merged", 187: "sky-other-merged", 188: "cabinet-merged", 189: "table-merged",
    190: "floor-other-merged", 191: "pavement-merged", 192: "mountain-merged",
    193: "grass-merged", 194: "dirt-merged", 195: "paper-merged", 196: "food-other-merged",
    197: "building-other-merged", 198: "rock-merged", 199: "wall-other-merged", 200: "rug-merged",
}
"""What COCO panoptic has beside these 80: 53 kinds of regions, by category id."""
# fmt: on

LISTS = {
    "YouTube-VIS 2019": ("", *YOUTUBE_VIS_2019),
    "YouTube-VIS 2021 and 2022": ("", *YOUTUBE_VIS_2021),
    "OVIS": ("", *OVIS),
    "COCO": COCO,
}
"""Names by category id, "" where there is none."""
_LIKENESS = 0.7
"""Names in common, of all names of the two, from which a file resembles a list.

The lists themselves: YouTube-VIS 2019 and 2021 have 0.78 in common, OVIS and these 0.44 at most."""
_MOST_ENTRIES = 6


def category_ids(names: Sequence[str]) -> tuple[int, ...]:
    """The category id of each class in files that no data set's own ids are stated for.

    COCO's 80 classes, or its 133 panoptic ones, have COCO's ids, whether a model has a row for each
    class or one for each id; so every model of COCO writes the same, and what it writes can be
    evaluated against COCO. All
    other classes are numbered from 1, as YouTube-VIS and OVIS number theirs, unless index 0 names
    nothing: then the rows are ids already.
    """
    things = {name: id_ for id_, name in enumerate(COCO) if name}
    for ids in (things, things | {name: id_ for id_, name in COCO_REGIONS.items()}):
        if set(names) - {""} == set(ids):
            return tuple(ids.get(name, index) for index, name in enumerate(names))
    first = 0 if names and not names[0] else 1
    return tuple(range(first, first + len(names)))


def differences(categories: Mapping[int, Category]) -> list[str]:
    """How a file's categories differ from the published list that they resemble most.

    Returns:
        One line for each kind of difference; none where the file resembles no list, or is like it.
    """
    title = max(LISTS, key=lambda title: _likeness(title, categories))
    if _likeness(title, categories) < _LIKENESS:
        return []
    names = {id_: category.name for id_, category in categories.items()}
    listed = {id_: name for id_, name in enumerate(LISTS[title]) if name}
    return [
        f"the categories are nearly those of {title}, but {line}"
        for line in _difference_lines(names, listed)
    ]


def _likeness(title: str, categories: Mapping[int, Category]) -> float:
    """Shared names, of all that either has."""
    listed = {_plain(name) for name in LISTS[title] if name}
    names = {_plain(category.name) for category in categories.values()}
    return len(listed & names) / max(1, len(listed | names))


def _difference_lines(actual: Mapping[int, str], listed: Mapping[int, str]) -> Iterator[str]:
    ids = {_plain(name): id_ for id_, name in listed.items()}
    names = {_plain(name) for name in actual.values()}
    shared = {id_: name for id_, name in actual.items() if _plain(name) in ids}
    yield from _line("lacks", [name for name in listed.values() if _plain(name) not in names])
    yield from _line("adds", [name for id_, name in actual.items() if id_ not in shared])
    matches = [(name, id_, ids[_plain(name)]) for id_, name in shared.items()]
    yield from _line(
        "numbers",
        [f"{n} {id_}, not {listed_id}" for n, id_, listed_id in matches if id_ != listed_id],
    )
    spelt = [(name, listed[listed_id]) for name, _, listed_id in matches]
    yield from _line(
        "spells", [f"{name!r}, not {listed_id!r}" for name, listed_id in spelt if name != listed_id]
    )


def _line(verb: str, entries: list[str]) -> Iterator[str]:
    more = f" and {len(entries) - _MOST_ENTRIES} more" if len(entries) > _MOST_ENTRIES else ""
    if entries:
        yield f"the file {verb} {'; '.join(entries[:_MOST_ENTRIES])}{more}"


def _plain(name: str) -> str:
    # files of one data set are spelt either way, by who made them
    return name.casefold().replace("_", " ").replace("-", " ")
