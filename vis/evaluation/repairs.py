"""Oracles: each repairs one kind of error in the results of a video and leaves the others be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vis.evaluation.facts import Facts, subject
from vis.evaluation.overlaps import track_iou

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vis.evaluation.following import Following
    from vis.records import RLE, Track


class Repaired(NamedTuple):
    """A video after the repair."""

    facts: Facts
    tracks: int
    """Number of tracks that were touched."""


def find_missed(found: Following, facts: Facts) -> Repaired:
    """Objects that no result is about are taken out of the truth, as TIDE does."""
    missed = set(found.missed)
    kept = [g for g in range(len(found.truth)) if g not in missed]
    truth = [facts.truth[g] for g in kept]
    return Repaired(facts._replace(truth=truth, iou=facts.iou[:, kept]), len(missed))


def drop_false(found: Following, facts: Facts) -> Repaired:
    """Results of background, and duplicates of one that has a higher score, are dropped."""
    return Repaired(_without(facts, found.false), len(found.false))


def rename(found: Following, facts: Facts) -> Repaired:
    """Results of the right object get its category; dropped, where it has a result already."""
    taken, dropped = set(found.own), []
    results = list(facts.results)
    for d in sorted(found.misnamed, key=lambda d: -results[d].score):
        g = found.misnamed[d]
        if g in taken:
            dropped.append(d)
        taken.add(g)
        results[d] = results[d]._replace(label=found.truth[g].label)
    return Repaired(_without(facts._replace(results=results), dropped), len(found.misnamed))


def redraw(found: Following, facts: Facts) -> Repaired:
    """From its first frame on, an object's own result shows exactly the object.

    Not where it follows another object, or a result of another name follows this one.
    """
    changed = {d: _redrawn(found, g, d) for g, d in found.own.items()}
    return _exchanged(found, facts, changed)


def join(found: Following, facts: Facts) -> Repaired:
    """An object's own result takes the frames in which another name follows it, with their masks.

    It loses those in which it follows another object. Fragments are dropped; an object swallowed by
    others' results gets a result of its own, with the highest score among them.
    """
    changed: dict[int, Track | None] = {d: _joined(found, g, d) for g, d in found.own.items()}
    changed |= dict.fromkeys(found.fragments)
    return _exchanged(found, facts, changed, [_freed(found, g) for g in sorted(found.swallowed)])


def bear(found: Following, facts: Facts) -> Repaired:
    """An object's own result shows it from the start, unless another name follows it there."""
    changed = {d: _born(found, g, d) for g, d in found.own.items()}
    return _exchanged(found, facts, changed)


REPAIRS: Mapping[str, Callable[[Following, Facts], Repaired]] = {
    "missed objects": find_missed,
    "false tracks": drop_false,
    "wrong class": rename,
    "poor masks": redraw,
    "identity switches": join,
    "late births": bear,
}
"""By the name of the error."""


def _redrawn(found: Following, g: int, d: int) -> Track:
    mine, true, named = found.results[d], found.truth[g].masks, found.named(g)
    birth = found.shown[d][0]
    masks = dict(mine.masks)
    for frame in sorted({*masks, *true}):
        followed = found.follows[d].get(frame)
        elsewhere = followed not in (None, g) or (followed is None and frame in named)
        if elsewhere or frame < birth:
            continue
        masks.pop(frame, None)
        if frame in true:
            masks[frame] = true[frame]
    return replace(mine, masks=masks)


def _joined(found: Following, g: int, d: int) -> Track:
    mine = found.results[d]
    kept = {f: mask for f, mask in mine.masks.items() if found.follows[d].get(f, g) == g}
    taken = {
        frame: found.results[others[0]].masks[frame]
        for frame, others in found.named(g).items()
        if found.follows[d].get(frame) != g
    }
    return replace(mine, masks=kept | taken)


def _freed(found: Following, g: int) -> Track:
    named = found.named(g)
    masks: dict[int, RLE] = {f: found.results[ds[0]].masks[f] for f, ds in named.items()}
    best = max(found.results[ds[0]].score for ds in named.values())
    return replace(found.truth[g], score=best, masks=masks)


def _born(found: Following, g: int, d: int) -> Track:
    mine, named, birth = found.results[d], found.named(g), found.shown[d][0]
    before = {
        frame: mask
        for frame, mask in found.truth[g].masks.items()
        if frame < birth and frame not in named
    }
    return replace(mine, masks={**mine.masks, **before})


def _exchanged(
    found: Following,
    facts: Facts,
    changed: Mapping[int, Track | None],
    more: Sequence[Track] = (),
) -> Repaired:
    """The video with some results changed or, where None, dropped, and more of them at the end."""
    new = {
        d: track
        for d, track in changed.items()
        if track is not None and dict(track.masks) != dict(found.results[d].masks)
    }
    dropped = [d for d, track in changed.items() if track is None]
    results = [*facts.results, *map(subject, more)]
    for d, track in new.items():
        results[d] = subject(track)
    iou = np.concatenate([facts.iou, track_iou(more, found.truth)])
    iou[list(new)] = track_iou(list(new.values()), found.truth)
    repaired = _without(facts._replace(results=results, iou=iou), dropped)
    return Repaired(repaired, len(new) + len(dropped) + len(more))


def _without(facts: Facts, dropped: Sequence[int]) -> Facts:
    gone = set(dropped)
    kept = [d for d in range(len(facts.results)) if d not in gone]
    return facts._replace(results=[facts.results[d] for d in kept], iou=facts.iou[kept])
