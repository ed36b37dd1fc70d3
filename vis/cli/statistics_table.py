"""What a data set holds, as `vis data check` prints it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vis.cli.console import say, say_table

if TYPE_CHECKING:
    from vis.formats.statistics import Statistics


def say_statistics(statistics: Statistics, has_truth: bool) -> None:
    """A table of the categories, then lines of numbers; without truth, of videos alone."""
    head = ("id", "category", "videos", "objects", "crowds", "masks", "median area")
    rows = [
        (
            str(row.id),
            row.name,
            str(row.videos),
            str(row.objects),
            str(row.crowds or ""),
            str(row.masks),
            f"{row.share:.2%}" if row.masks else "",
        )
        for row in statistics.categories
    ]
    # without truth the other columns would be zeros that say nothing
    say_table([row if has_truth else row[:2] for row in [head, *rows]])
    few, middle, many = statistics.lengths
    sizes = [f"{width} x {height} ({count})" for (width, height), count in statistics.sizes]
    others = f" and {len(sizes) - 6} others" if len(sizes) > 6 else ""
    empty = f", of them without an object {statistics.empty_videos}" if has_truth else ""
    say(f"videos     {statistics.videos}{empty}")
    lengths = f"a video has {few} to {many}, half of them up to {middle:g}"
    unknown = statistics.annotated < statistics.frames and has_truth
    part = f", {statistics.annotated} of them annotated" if unknown else ""
    say(f"frames     {statistics.frames}{part}; {lengths}")
    if has_truth:
        masks = f"{statistics.masks} masks; {statistics.crowds} crowds"
        say(f"objects    {statistics.objects} with {masks}")
    say(f"sizes      {', '.join(sizes[:6])}{others}")
    hidden = statistics.occlusion
    if has_truth:
        say(
            f"occlusion  {hidden.hidden:.1%} of the frames of a life hidden, "
            f"{hidden.returning} objects return, boxes overlap by {hidden.overlap:.3f}"
        )
