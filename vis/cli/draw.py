"""`vis draw`: a result or annotation file drawn onto its video."""

from __future__ import annotations

import sys
from typing import Literal

from vis.cli.arguments import Command
from vis.errors import EXIT_OK


def draw(
    video: str,
    results: str,
    /,
    *,
    output: str,
    truth: str | None = None,
    entry: str | None = None,
    threshold: float = 0.0,
    opacity: float = 0.45,
    no_boxes: bool = False,
    no_labels: bool = False,
    no_audio: bool = False,
    quality: Literal["fast", "normal", "high"] = "normal",
    frame_rate: float = 25.0,
    overwrite: bool = False,
) -> int:
    """Draw a result or annotation file, in the layout of YouTube-VIS or COCO, onto its video.

    Each object gets a translucent mask, a contour, a box and a label in a colour of its own. Frame
    times, size, colours and sound of the video are kept; an odd side grows by one pixel. The output
    appears under its name only when it is whole.

    Args:
        video: A video file, a folder of frames, or the folder that holds the frame folders of all
            videos of the file; then each is drawn.
        results: Annotations or results in YouTube-VIS layout (JSON), or the .coco.json of a result.
        output: The video to write (.mp4 .mov .mkv .webm .gif, or a folder for PNGs); the folder to
            write to where several videos are drawn.
        truth: Annotations that give a results file its class names and videos.
        entry: Name or id of the one video of the file that is meant.
        threshold: Leave out tracks of a lower score.
        opacity: How much of the picture a mask hides, 0 to 1.
        no_boxes: Draw no boxes.
        no_labels: Draw no labels.
        no_audio: Leave the sound out.
        quality: Of the encoder, against its speed.
        frame_rate: Frames per second of a folder of frames.
        overwrite: Replace what is there.
    """
    from vis.outputs.drawing import draw_results
    from vis.video import DrawStyle

    drawings = draw_results(
        video,
        results,
        output,
        truth=truth,
        entry=entry,
        threshold=threshold,
        style=DrawStyle(opacity=opacity, boxes=not no_boxes, labels=not no_labels),
        quality=quality,
        audio=not no_audio,
        frame_rate=frame_rate,
        overwrite=overwrite,
        progress=True,
    )
    for drawing in drawings:
        sys.stdout.write(
            f"wrote {drawing.path} ({drawing.frames} frames, {drawing.objects} objects)\n"
        )
    return EXIT_OK


COMMAND = Command(
    draw,
    """
    vis draw holiday.mp4 results.json -o holiday-drawn.mp4
    vis draw frames/ instances.json -o drawn.mp4 --frame-rate 6
    vis draw JPEGImages/ instances.json -o drawn/
    vis draw clip.mp4 results.json --truth valid.json --entry 0043f083b5 -o clip.webm
    """,
)
