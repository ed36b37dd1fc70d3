"""Rows of a class head that go from one list of classes to another: those of equal names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vis.weights.classes import numbered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torch import Tensor

TOKENS = "decoder.classes"
"""Segmenter's `[1 classes C]`."""
HEAD = re.compile(
    r"(?P<head>(?:.+\.)?(?:class_head|class_heads\.\d+))(?:\.(?P<layer>\d+))?\.(?:weight|bias)"
    rf"|{re.escape(TOKENS)}|decoder\.(?:head|score_norm)\.(?:weight|bias)"
)
"""A linear layer or convolution to classes, a layer of an MLP, or what Segmenter has of each."""
MOST_OTHERS = 2
"""Rows of no class: "no object" after the classes, and in VisTR a reserved one before them."""


def same_classes(theirs: Sequence[str], ours: Sequence[str]) -> dict[int, int]:
    """Row of ours -> row of theirs, where both have the same name.

    Case and spaces around do not count. A class without a name is no other's, nor is one of a list
    of numbers, which stands where nobody has named the classes.
    """
    if tuple(theirs) == numbered(len(theirs)):
        return {}
    rows = {_plain(name): row for row, name in reversed(list(enumerate(theirs))) if _plain(name)}
    return {row: rows[_plain(name)] for row, name in enumerate(ours) if _plain(name) in rows}


def carried(
    tensors: Mapping[str, Tensor],
    state: Mapping[str, Tensor],
    theirs: Sequence[str],
    ours: Sequence[str],
) -> tuple[dict[str, Tensor], str]:
    """Class heads of a model with the rows of another that have equal names.

    Args:
        tensors: of the other, by our names.
        state: of the model; none is changed.
        theirs: names of the other's classes.
        ours: of the model's.

    Returns:
        The heads as they should be, none where no name is equal, and a line for the log.
    """
    pairs = same_classes(theirs, ours)
    heads: dict[str, Tensor] = {}
    for name in _last_layers(tensors) if pairs else ():
        own, inner = state.get(name), _inner_layers(name, tensors)
        if own is None or own.dim() != tensors[name].dim():
            continue
        if any(n not in state or tensors[n].shape != state[n].shape for n in inner):
            continue
        head, axis = own.clone(), 1 if name == TOKENS else 0
        place, source = head.movedim(axis, 0), tensors[name].movedim(axis, 0)
        if place.shape[1:] != source.shape[1:]:
            continue
        rows = _rows((len(source), len(theirs)), (len(place), len(ours)), pairs)
        if rows:
            place[list(rows)] = source[list(rows.values())].to(own)
            heads |= {name: head} | {n: tensors[n] for n in inner}
    if not heads:
        return {}, ""
    same = ", ".join(ours[row] for row in pairs)
    line = f"{len(pairs)} of {len(ours)} classes carried over by name: {same}"
    fresh = ", ".join(name or "(no name)" for row, name in enumerate(ours) if row not in pairs)
    return heads, f"{line}; anew: {fresh}" if fresh else line


def _last_layers(names: Iterable[str]) -> list[str]:
    """What has rows of classes: of an MLP, its last layer."""
    matches = {name: match for name in names if (match := HEAD.fullmatch(name))}
    last: dict[str, int] = {}
    for match in matches.values():
        last[match["head"]] = max(last.get(match["head"], 0), int(match["layer"] or 0))
    return [n for n, match in matches.items() if int(match["layer"] or 0) == last[match["head"]]]


def _inner_layers(last: str, names: Iterable[str]) -> list[str]:
    """The layers of an MLP before its last, without which the rows of that would mean nothing."""
    head = HEAD.fullmatch(last)
    if head is None or head["layer"] is None:
        return []
    before = ((name, HEAD.fullmatch(name)) for name in names)
    return [
        name
        for name, match in before
        if match and match["head"] == head["head"] and match["layer"] != head["layer"]
    ]


def _rows(
    theirs: tuple[int, int], ours: tuple[int, int], pairs: Mapping[int, int]
) -> dict[int, int]:
    """Row of our tensor -> row of theirs; none where the two are not built alike.

    Args:
        theirs: rows of their tensor, and their classes.
        ours: likewise.
        pairs: class of ours -> class of theirs.
    """
    (their_rows, their_classes), (our_rows, our_classes) = theirs, ours
    others = our_rows - our_classes
    if others == their_rows - their_classes and 0 <= others <= MOST_OTHERS:
        before = others // MOST_OTHERS
        rows = {own + before: other + before for own, other in pairs.items()}
        rows |= {0: 0} if before else {}
        return rows | ({our_rows - 1: their_rows - 1} if others else {})
    # All classes of an anchor follow each other, anchors outermost.
    anchors = our_rows // our_classes
    if (our_rows, their_rows) != (anchors * our_classes, anchors * their_classes):
        return {}
    return {
        a * our_classes + own: a * their_classes + other
        for a in range(anchors)
        for own, other in pairs.items()
    }


def _plain(name: str) -> str:
    return name.strip().casefold()
