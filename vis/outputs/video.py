"""The annotated video: one piece for each time that the run went on, joined at the end."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from vis.errors import DataError
from vis.storage.disk_errors import output_errors
from vis.video.joining import Piece, join_videos, reaches
from vis.video.writer import VideoWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.outputs.frame_result import FrameResult
    from vis.outputs.sink import SinkContext, State
    from vis.records import Identity


class VideoSink:
    """A film of the drawn frames that can be played at any time, up to the last few of them.

    A state does not stop the encoder. What it still holds back then is missing after a kill, so
    whoever goes on asks whether the state's last frame has reached the file, and else takes an
    earlier state. Frames that were written after the state are left out of the joined film.

    Args:
        context: where to.
        state: of an earlier sink of this kind, to go on from.

    Raises:
        DataError: the state's last frame is not in the file, or it is a GIF or AVI: begin anew.
    """

    def __init__(self, context: SinkContext, state: State | None = None) -> None:
        # neither states at which time of the source it begins
        if state is not None and context.video_suffix in (".gif", ".avi"):
            kind = context.video_suffix[1:].upper()
            raise DataError(f"the pieces of a {kind} cannot be joined", where=str(context.folder))
        self._context = context
        self.path = context.folder / f"{context.name}{context.video_suffix}"
        self._pieces = [] if state is None else [self._piece(one) for one in state["pieces"]]
        first_piece = not self._pieces
        self._writer = VideoWriter(
            context.folder / f"video-{len(self._pieces):03d}{context.video_suffix}",
            info=context.info,
            # later pieces have no sound: it is copied once, when all are joined
            audio_from=context.audio_from if first_piece else None,
            overwrite=True,
        )
        self._span: tuple[Fraction, Fraction] | None = None
        self._open = True

    def write(self, frame_result: FrameResult) -> None:
        """Draw and encode the frame."""
        self._writer.write(frame_result.annotated)
        time = frame_result.annotated.time
        self._span = (self._span[0] if self._span else time), time

    def end(self, identities: Sequence[Identity]) -> None:
        """Nothing: a frame shows what was known when it was drawn."""

    def state(self) -> State:
        """The pieces so far, the last of them as far as it was written."""
        pieces = list(self._pieces)
        if self._span is not None:
            pieces.append(Piece(self._writer.path, *self._span))
        return {"pieces": [_fields(piece) for piece in pieces]}

    def finish(self, length: int) -> None:  # noqa: ARG002 - a film knows of no length
        """Close the film, or join its pieces; they go."""
        self._open = False
        pieces = list(self._pieces)
        if self._span is not None:
            self._writer.close()
            pieces.append(Piece(self._writer.path, *self._span))
        else:
            self._writer.stop()
        with output_errors(self.path):
            if len(pieces) == 1 and pieces[0].path == self._writer.path:
                self._writer.path.replace(self.path)
                return
        join_videos(pieces, self.path, audio_from=self._context.audio_from)

    def close(self) -> None:
        """Finish what was written as a piece that can be played."""
        if self._open:
            self._open = False
            self._writer.stop()

    def _piece(self, fields: dict[str, Any]) -> Piece:
        """The piece of a state: closed, or as a kill left it."""
        whole = self._context.folder / fields["name"]
        part = whole.with_name(f"{whole.stem}.part{whole.suffix}")
        first, last = (Fraction(*fields[key]) for key in ("first", "last"))
        # a kill leaves the piece under its first name, its part name, or already renamed
        for path in (whole, part, self.path):
            piece = Piece(path, first, last)
            if path.exists() and reaches(piece):
                return piece
        raise DataError(
            f"the video ends before {float(last):.3f} s, where this state was saved",
            where=str(whole),
            remedy="Begin anew (--overwrite).",
        )


def _fields(piece: Piece) -> dict[str, Any]:
    spans = {"first": piece.first, "last": piece.last}
    times = {key: [time.numerator, time.denominator] for key, time in spans.items()}
    # a state is written while the piece still has the name of a part
    name = piece.path.name.replace(f".part{piece.path.suffix}", piece.path.suffix)
    return {"name": name, **times}
