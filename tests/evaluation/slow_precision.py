"""AP by the definition, slowly: bool masks, one threshold after the other, no code of COCO's."""

import numpy as np

from vis.ops import rle

EMPTY = np.zeros((24, 32), np.bool_)


def pixels(track, frames):
    return np.stack(
        [rle.decode(track.masks[f]) if f in track.masks else EMPTY for f in range(frames)]
    )


def overlap(a, b, frames=5):
    a, b = pixels(a, frames), pixels(b, frames)
    return (a & b).sum() / max((a | b).sum(), 1)


def judge(truth, results, least):
    """(score, right) of each result that counts, in one video and category."""
    taken, judged = set(), []
    for result in sorted(results, key=lambda track: -track.score)[:100]:
        near = [(overlap(result, true), true) for true in truth]
        free = [
            (iou, n, true.id)
            for n, (iou, true) in enumerate(near)
            if iou >= least and not true.crowd and true.id not in taken
        ]
        if free:
            # the last of equals, as COCO's loop leaves it
            taken.add(max(free)[2])
            judged.append((result.score, True))
        elif not any(iou >= least and true.crowd for iou, true in near):
            judged.append((result.score, False))
    return judged


def slow_ap(truth, results):
    """Mean over categories with truth, ten overlaps and 101 recalls; None without truth."""
    values = []
    for label in truth.categories:
        true = {v: [t for t in tracks if t.label == label] for v, tracks in truth.tracks.items()}
        wanted = sum(not t.crowd for tracks in true.values() for t in tracks)
        if not wanted:
            continue
        for least in np.linspace(0.5, 0.95, 10):
            judged = []
            for video in sorted(true):
                found = [t for t in results.get(video, []) if t.label == label]
                judged += judge(true[video], found, least)
            values.append(area(sorted(judged, key=lambda one: -one[0]), wanted))
    return np.mean(values) if values else None


def area(judged, wanted):
    right, points = 0, []
    for place, (_, hit) in enumerate(judged, 1):
        right += hit
        points.append((right / wanted, right / place))
    recalls = np.linspace(0, 1, 101)
    return np.mean([max([p for r, p in points if r >= recall], default=0) for recall in recalls])
