"""the classes of data sets that name every pixel, in the order of their numbers."""

from __future__ import annotations

from typing import NamedTuple

ADE20K = tuple(
    (
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
    ).split(",")
)
"""The 150 of the scene parsing challenge (2016)."""

PASCAL_CONTEXT = tuple(
    (
        "background,aeroplane,bag,bed,bedclothes,bench,bicycle,bird,boat,book,bottle,building,bus,"
        "cabinet,car,cat,ceiling,chair,cloth,computer,cow,cup,curtain,dog,door,fence,floor,flower,"
        "food,grass,ground,horse,keyboard,light,motorbike,mountain,mouse,person,plate,platform,"
        "pottedplant,road,rock,sheep,shelves,sidewalk,sign,sky,snow,sofa,table,track,train,tree,"
        "truck,tvmonitor,wall,water,window,wood"
    ).split(",")
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
    """Numbers of pixels that say nothing."""


def numbering(
    names: tuple[str, ...], numbers: tuple[int, ...], *, all_else: bool = False
) -> Numbering:
    """One class after the other.

    Args:
        names: of the classes.
        numbers: of each class's pixels.
        all_else: whether every other number is one that says nothing, or only 255 is and, where no
            class has it, 0.
    """
    others = range(256) if all_else else (0, 255)
    classes = {number: index for index, number in enumerate(numbers)}
    return Numbering(names, classes, frozenset(set(others) - set(classes)))
