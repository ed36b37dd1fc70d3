"""`vis track`: videos in, annotated videos and results out."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from vis.cli.arguments import Command
from vis.cli.saying import say, say_table
from vis.errors import EXIT_OK, UsageError, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vis.jobs.job import Outcome

_ROWS = 40
"""Objects of one video in the table."""


def track(
    sources: list[str],
    /,
    *,
    output: str,
    model: str | None = None,
    save: list[str] | None = None,
    classes: str | None = None,
    threshold: float = 0.3,
    window: int | None = None,
    stride: int | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    linking: Literal["masks", "queries"] = "masks",
    every: int = 1,
    max_frames: int | None = None,
    min_length: int | None = None,
    no_cuts: bool = False,
    show: bool = False,
    overwrite: bool = False,
    resume: bool = False,
    checkpoint: int = 32,
    shard: str | None = None,
    on: Literal["local", "ray"] = "local",
) -> int:
    """Find, outline, name and follow every object in videos.

    Of one source, the output is a file, such as out.mp4; other results get the same name: out.json,
    out.jsonl, out.coco.json, out.csv, out.mots/, out.davis/, out.frames/. Of one or more, it is a
    folder, in which the outputs have the names of their sources: folder/holiday.mp4,
    folder/holiday.json.

    Until all is whole, it grows in a hidden folder beside: .holiday.part. After Ctrl-C, a full disk
    or a kill, the same command with --resume goes on there; the results are the same as without the
    break. A source that is done with the same settings is skipped. One that fails is named at the
    end, and does not stop the others. Under torchrun, the ranks share the sources.

    Args:
        sources: Video files, folders (of videos, of pictures, or of folders of pictures), globs, a
            camera (0, /dev/video0), rtsp/http URLs. A camera is ended by Ctrl-C.
        output: The folder to write, or the file: .mp4 .mov .mkv .webm .gif .json .coco.json .jsonl
            .csv.
        model: A weight file, or the name of one; without it, the one that ships with vis.
        save: What is written: video (annotated, with sound), json (YouTube-VIS results), jsonl (a
            line a frame), coco (CocoVID), mots (text), davis (PNGs of numbers), csv (a line for
            each object of a frame), frames (annotated PNGs). Without it: what the file's ending
            says, in a folder video json jsonl.
        classes: Follow these classes alone, such as person,dog.
        threshold: Leave out objects of a lower score. The score of an object is the highest mean
            over its frames so far, so it never falls while the object is followed.
        window: Frames that the model sees at once; without it, as many as it can.
        stride: Frames from one window to the next; without it, three quarters of a window.
        size: Pixels of the short side that the model sees; without it, those it was trained for.
        device: auto, cpu, cuda, cuda:1, ...
        precision: Of the model's numbers; half precision is faster on a GPU.
        linking: By masks, objects are known again by where and what they are; by queries, by the
            model's embeddings alone, wherever they are: that survives jumps (with --no-cuts also
            cuts), but mixes up what looks alike, and needs a model that has embeddings.
        every: Look at every n-th frame alone.
        max_frames: Stop after so many frames.
        min_length: Leave out objects that are seen in fewer frames; without it, 5 for models that
            look at single frames, else 1.
        no_cuts: Follow objects over hard cuts too; without it, no identity goes on in another shot,
            as far as can be told: with --every above 2 it cannot.
        show: Show the frames in a window too; closing it stops.
        overwrite: Replace outputs that are there, and what an unfinished run left.
        resume: Go on with what an unfinished run left, if there is one.
        checkpoint: Windows from one saved state to the next; the first come earlier.
        shard: Do part i of n of the sources, such as 0/4.
        on: local, or ray: the sources are shared among the machines of a Ray cluster.
    """
    shown: dict[str, Any] = {"threshold": threshold, "min_length": min_length, "cuts": not no_cuts}
    shown["classes"] = None if classes is None else _listed(classes)
    looked: dict[str, Any] = {"window": window, "stride": stride, "size": size, "every": every}
    looked |= {"precision": precision, "linking": linking, "max_frames": max_frames}
    manner = {"device": device, "resume": resume, "overwrite": overwrite, "checkpoint": checkpoint}
    asked = _Asked(sources, output, save, shard)
    return _run(
        asked, model, shown | looked, manner | {"progress": on == "local"}, show=show, on=on
    )


def _listed(names: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in names.split(",") if name.strip())


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be made of what."""

    sources: list[str]
    output: str
    save: list[str] | None
    shard: str | None


def _run(
    asked: _Asked,
    model: str | None,
    how: dict[str, Any],
    manner: dict[str, Any],
    *,
    show: bool,
    on: str,
) -> int:
    from vis.jobs.job import Choices, Manner
    from vis.jobs.many import planned, shard, track_all
    from vis.jobs.ray_jobs import track_on_ray
    from vis.outputs.preview_window import open_screen

    choices, ready = Choices(**how), Manner(**manner)
    if show and on == "ray":
        raise UsageError("no window shows what other machines do", remedy="Leave --show out.")
    wanted = shard(planned(asked.sources, asked.output, asked.save), asked.shard)
    with ExitStack() as stack:
        screen = open_screen() if show else None
        if screen is not None:
            stack.callback(screen.close)
        run = track_on_ray if on == "ray" else track_all
        ready = replace(ready, screen=screen)
        return _told(run(wanted, model, choices=choices, manner=ready), len(wanted))


def _told(outcomes: Iterator[Outcome], count: int) -> int:
    """Say what became of each source; the exit code."""
    failed: list[Outcome] = []
    for number, outcome in enumerate(outcomes, 1):
        if outcome.error is not None:
            if count == 1:
                raise outcome.error
            failed.append(outcome)
            sys.stderr.write(f"vis: {printable(outcome.source.place)} failed\n")
            continue
        place = f"[{number}/{count}] " if count > 1 else ""
        _say_outcome(outcome, place)
    if failed:
        say(f"{len(failed)} of {count} sources failed:")
        for outcome in failed:
            say(f"    {_named(outcome)}")
        say("Run again with --resume: what is done is skipped, what was begun goes on.")
        error = failed[0].error
        assert error is not None
        return error.exit_code
    return EXIT_OK


def _named(outcome: Outcome) -> str:
    """The error with the name of its source, once."""
    place, text = printable(outcome.source.place), str(outcome.error)
    return text if text.startswith(place) else f"{place}: {text}"


def _say_outcome(outcome: Outcome, place: str) -> None:
    from vis.outputs.summary import by_class, rows

    outputs = ", ".join(str(path) for path in outcome.outputs)
    if outcome.skipped:
        say(f"{place}{outcome.source.place}: done before ({outputs})")
        return
    rate = f", {outcome.frames / outcome.seconds:.1f} frames/s" if outcome.seconds else ""
    say(f"{place}wrote {outputs} ({outcome.frames} frames{rate})")
    count = len(outcome.sightings)
    if not count:
        say("no objects were found")
        return
    say_table(rows(outcome.sightings, outcome.names, most=_ROWS))
    if count > _ROWS:
        say(f"... and {count - _ROWS} more objects")
    counts = by_class(outcome.sightings, outcome.names)
    say(", ".join(f"{number} x {name}" for name, number in counts.items()))


COMMAND = Command(
    track,
    """
    vis track holiday.mp4 -o tracked.mp4
    vis track *.mp4 -o tracked/ --save video json csv --classes person,dog
    vis track holiday.mp4 -o tracked/ --resume
    vis track 0 -o camera.mp4 --show
    torchrun --nproc-per-node 2 -m vis track videos/ -o tracked/
    vis track videos/ -o tracked/ --on ray
    """,
)
