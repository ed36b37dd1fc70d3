"""The classes of data sets that name every pixel, in the order of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def _split_names(text: str) -> tuple[str, ...]:
    return tuple(text.split(","))


ADE20K = _split_names(
    "wall,building,sky,floor,tree,ceiling,road,bed,windowpane,grass,cabinet,sidewalk,person,"
    "earth,door,table,mountain,plant,curtain,chair,car,water,painting,sofa,shelf,house,sea,"
    "mirror,rug,field,armchair,seat,fence,desk,rock,wardrobe,lamp,bathtub,railing,cushion,base,"
    "box,column,signboard,chest of drawers,counter,sand,sink,skyscraper,fireplace,refrigerator,"
    "grandstand,path,stairs,runway,case,pool table,pillow,screen door,stairway,river,bridge,"
    "bookcase,blind,coffee table,toilet,flower,book,hill,bench,countertop,stove,palm,"
    "kitchen island,computer,swivel chair,boat,bar,arcade machine,hovel,bus,towel,light,truck,"
    "tower,chandelier,awning,streetlight,booth,television receiver,airplane,dirt track,apparel,"
    "pole,land,bannister,escalator,ottoman,bottle,buffet,poster,stage,van,ship,fountain,"
    "conveyer belt,canopy,washer,plaything,swimming pool,stool,barrel,basket,waterfall,tent,"
    "bag,minibike,cradle,oven,ball,food,step,tank,trade name,microwave,pot,animal,bicycle,lake,"
    "dishwasher,screen,blanket,sculpture,hood,sconce,vase,traffic light,tray,ashcan,fan,pier,"
    "crt screen,plate,monitor,bulletin board,shower,radiator,glass,clock,flag"
)
"""The 150 of the scene parsing challenge (2016)."""

PASCAL_CONTEXT = _split_names(
    "background,aeroplane,bag,bed,bedclothes,bench,bicycle,bird,boat,book,bottle,building,bus,"
    "cabinet,car,cat,ceiling,chair,cloth,computer,cow,cup,curtain,dog,door,fence,floor,flower,"
    "food,grass,ground,horse,keyboard,light,motorbike,mountain,mouse,person,plate,platform,"
    "pottedplant,road,rock,sheep,shelves,sidewalk,sign,sky,snow,sofa,table,track,train,tree,"
    "truck,tvmonitor,wall,water,window,wood"
)
"""The 59 that are judged, and the rest as a class of its own."""

CITYSCAPES = (
    *("road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign"),
    *("vegetation", "terrain", "sky", "person", "rider", "car", "truck", "bus", "train"),
    *("motorcycle", "bicycle"),
)
"""The 19 that are judged, in the order of their `trainId`."""

CITYSCAPES_IDS = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""Their numbers in `labelIds` pictures; all others there are not judged."""


class Numbering(NamedTuple):
    """What the numbers of a label picture mean."""

    names: tuple[str, ...]
    """Of the classes 0 .. K - 1."""
    classes: dict[int, int]
    """Number of a pixel -> class."""
    unjudged: frozenset[int]
    """Numbers of pixels that say nothing; any other number is a fault."""


def numbering(names: tuple[str, ...], numbers: Sequence[int], unjudged: Iterable[int]) -> Numbering:
    """The classes in order, with the number of each one's pixels."""
    classes = {number: index for index, number in enumerate(numbers)}
    return Numbering(names, classes, frozenset(unjudged))


OF_ADE20K = numbering(ADE20K, range(1, 151), (0, 255))
OF_PASCAL_CONTEXT = numbering(PASCAL_CONTEXT, range(60), (255,))
OF_CITYSCAPES_IDS = numbering(CITYSCAPES, CITYSCAPES_IDS, set(range(256)) - set(CITYSCAPES_IDS))
OF_CITYSCAPES_TRAINING = numbering(CITYSCAPES, range(19), (255,))
