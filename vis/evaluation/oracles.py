"""Oracles: each repairs one kind of error in the results of a video and leaves the others be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from vis.evaluation.overlaps import track_iou
from vis.evaluation.video_matches import VideoMatches, track_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from vis.evaluation.error_attribution import ErrorAttribution
    from vis.records import RLE, Track


class OracleResult(NamedTuple):
    """A video after an oracle's repair."""

    matches: VideoMatches
    tracks: int
    """Number of tracks that were touched."""


def find_missed(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """Objects that no result is about are taken out of the truth, as TIDE does."""
    missed = set(attribution.missed)
    rest = [g for g in range(len(attribution.truth)) if g not in missed]
    truth = [matches.truth[g] for g in rest]
    return OracleResult(matches._replace(truth=truth, iou=matches.iou[:, rest]), len(missed))


def drop_false(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """Results of background, and duplicates of one that has a higher score, are dropped."""
    return OracleResult(_without(matches, attribution.false), len(attribution.false))


def rename(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """Results of the right object get its category; dropped, where it has a result already."""
    # two results of one object would be a right one and a duplicate, another kind of error
    with_result, dropped = set(attribution.own), []
    results = list(matches.results)
    for d in sorted(attribution.misnamed, key=lambda d: -results[d].score):
        g = attribution.misnamed[d]
        if g in with_result:
            dropped.append(d)
        with_result.add(g)
        results[d] = results[d]._replace(label=attribution.truth[g].label)
    renamed = matches._replace(results=results)
    return OracleResult(_without(renamed, dropped), len(attribution.misnamed))


def redraw(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """From its first frame on, an object's own result shows exactly the object.

    Not where it follows another object, or a result of another name follows this one.
    """
    changed = {d: _redrawn(attribution, g, d) for g, d in attribution.own.items()}
    return _exchanged(attribution, matches, changed)


def join(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """An object's own result takes the frames in which another name follows it, with their masks.

    It loses those in which it follows another object. Fragments are dropped; an object swallowed by
    others' results gets a result of its own, with the highest score among them.
    """
    changed: dict[int, Track | None] = {
        d: _joined(attribution, g, d) for g, d in attribution.own.items()
    }
    changed |= dict.fromkeys(attribution.fragments)
    separated = [_separated(attribution, g) for g in sorted(attribution.swallowed)]
    return _exchanged(attribution, matches, changed, separated)


def extend_to_birth(attribution: ErrorAttribution, matches: VideoMatches) -> OracleResult:
    """An object's own result shows it from the start, unless another name follows it there."""
    changed = {d: _extended(attribution, g, d) for g, d in attribution.own.items()}
    return _exchanged(attribution, matches, changed)


ORACLES: Mapping[str, Callable[[ErrorAttribution, VideoMatches], OracleResult]] = {
    "missed objects": find_missed,
    "false tracks": drop_false,
    "wrong class": rename,
    "poor masks": redraw,
    "identity switches": join,
    "late births": extend_to_birth,
}
"""By the name of the error."""


def _redrawn(attribution: ErrorAttribution, g: int, d: int) -> Track:
    mine, true = attribution.results[d], attribution.truth[g].masks
    results_on = attribution.results_on(g)
    birth = attribution.frames[d][0]
    masks = dict(mine.masks)
    for frame in sorted({*masks, *true}):
        followed = attribution.follows[d].get(frame)
        elsewhere = followed not in (None, g) or (followed is None and frame in results_on)
        if elsewhere or frame < birth:
            continue
        masks.pop(frame, None)
        if frame in true:
            masks[frame] = true[frame]
    return replace(mine, masks=masks)


def _joined(attribution: ErrorAttribution, g: int, d: int) -> Track:
    own = attribution.results[d]
    own_masks = {f: mask for f, mask in own.masks.items() if attribution.follows[d].get(f, g) == g}
    other_masks = {
        frame: attribution.results[others[0]].masks[frame]
        for frame, others in attribution.results_on(g).items()
        if attribution.follows[d].get(frame) != g
    }
    return replace(own, masks=own_masks | other_masks)


def _separated(attribution: ErrorAttribution, g: int) -> Track:
    results_on = attribution.results_on(g)
    masks: dict[int, RLE] = {f: attribution.results[ds[0]].masks[f] for f, ds in results_on.items()}
    best = max(attribution.results[ds[0]].score for ds in results_on.values())
    return replace(attribution.truth[g], score=best, masks=masks)


def _extended(attribution: ErrorAttribution, g: int, d: int) -> Track:
    mine, birth = attribution.results[d], attribution.frames[d][0]
    results_on = attribution.results_on(g)
    before = {
        frame: mask
        for frame, mask in attribution.truth[g].masks.items()
        if frame < birth and frame not in results_on
    }
    return replace(mine, masks={**mine.masks, **before})


def _exchanged(
    attribution: ErrorAttribution,
    matches: VideoMatches,
    changed: Mapping[int, Track | None],
    more: Sequence[Track] = (),
) -> OracleResult:
    """The video with some results changed or, where None, dropped, and more of them at the end."""
    # masks are compared for what has changed alone: overlaps are nearly all of the time
    new = {
        d: track
        for d, track in changed.items()
        if track is not None and dict(track.masks) != dict(attribution.results[d].masks)
    }
    dropped = [d for d, track in changed.items() if track is None]
    results = [*matches.results, *map(track_summary, more)]
    for d, track in new.items():
        results[d] = track_summary(track)
    iou = np.concatenate([matches.iou, track_iou(more, attribution.truth)])
    iou[list(new)] = track_iou(list(new.values()), attribution.truth)
    repaired = _without(matches._replace(results=results, iou=iou), dropped)
    return OracleResult(repaired, len(new) + len(dropped) + len(more))


def _without(matches: VideoMatches, dropped: Sequence[int]) -> VideoMatches:
    excluded = set(dropped)
    rest = [d for d in range(len(matches.results)) if d not in excluded]
    return matches._replace(results=[matches.results[d] for d in rest], iou=matches.iou[rest])
