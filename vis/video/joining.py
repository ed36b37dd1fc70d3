"""Pieces of one video, made one after the other, into one file: packets are copied, not encoded."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.stream import Discard

from vis.errors import DataError
from vis.storage.part import PartFile
from vis.video.audio import AudioCopy
from vis.video.decoder import FAULTS
from vis.video.picture_track import PictureTrack
from vis.video.writer_file import VIDEO_FORMATS, encoding_errors, muxer_options

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


@dataclass(frozen=True, slots=True)
class Piece:
    """A video that `VideoWriter` wrote, or the part of it that a kill left."""

    path: Path
    first: Fraction
    """Time of its first frame in the source, in seconds."""
    last: Fraction
    """Time in the source of the last frame that is taken; what follows is left out."""

    @property
    def shift(self) -> Fraction:
        """Seconds by which its times are later than the source's; videos do not begin before 0."""
        return max(-self.first, Fraction(0))


def join_videos(pieces: Sequence[Piece], path: Path, *, audio_from: str | None = None) -> None:
    """Write the pieces as one video, with every frame at its time; replaces what is there.

    Args:
        pieces: in order of time, made by `VideoWriter` from frames of one size, in one way.
        path: of the video; its suffix is that of the pieces.
        audio_from: a video file whose audio streams are copied as they are.

    Raises:
        DataError: the pieces do not fit together, or one is damaged.
        OutputError: the video cannot be written.
    """
    output = PartFile(path, overwrite=True)
    output.prepare()
    video_format = VIDEO_FORMATS[path.suffix.lower()]
    with ExitStack() as stack:
        first = stack.enter_context(_open_piece(pieces[0].path))
        source = first.streams.video[0]
        audio = None if audio_from is None else AudioCopy(audio_from)
        if audio is not None:
            stack.callback(audio.close)
        stack.enter_context(encoding_errors(path))
        container = stack.enter_context(
            av.open(
                f"file:{output.part}",
                "w",
                format=video_format.container,
                container_options=muxer_options(video_format, _tick(source), audio),
            )
        )
        stream = container.add_stream_from_template(source)
        stream.time_base = source.time_base
        if audio is not None:
            audio.attach(container, first=pieces[0].first, shift=pieces[0].shift)
        container.start_encoding()
        track = PictureTrack(container, audio, pieces[0].shift)
        for packet in _packets_of_all(pieces, source):
            last = (packet.duration or 0) * packet.time_base
            packet.stream = stream
            track.add((packet,))
        track.close(last)
    output.publish()


def reaches(piece: Piece) -> bool:
    """Whether the file holds the piece's last frame whole: one after it, or a proper end."""
    try:
        with _open_piece(piece.path) as container:
            tick = _tick(container.streams.video[0])
            times = [_time(packet) for packet in _packets(container)]
    except DataError:
        return False
    target = piece.last + piece.shift
    is_closed = ".part" not in piece.path.suffixes
    # a frame of a file that a kill ended may be cut in the middle, unless another one follows it
    has_frame = any(abs(time - target) <= Fraction(3, 2) * tick for time in times)
    return has_frame and (is_closed or times[-1] > target + tick)


def _packets_of_all(pieces: Sequence[Piece], source: VideoStream) -> Iterator[Packet[VideoStream]]:
    """The packets, with the times of the joined video."""
    for piece in pieces:
        with _open_piece(piece.path) as container:
            stream = container.streams.video[0]
            _check_alike(stream, source, piece.path)
            tick = _tick(stream)
            for packet in _packets(container):
                # half a tick: stored times are rounded to the container's clock
                if _time(packet) - piece.shift > piece.last + tick / 2:
                    break
                assert packet.pts is not None and packet.dts is not None
                offset = round((pieces[0].shift - piece.shift) / tick)
                # the writer makes no B-frames: pts and dts move alike and stay in order
                packet.pts, packet.dts = packet.pts + offset, packet.dts + offset
                yield packet


def _packets(container: InputContainer) -> Iterator[Packet[VideoStream]]:
    """Those that are whole, up to where a kill cut the file off."""
    try:
        for packet in container.demux(container.streams.video[0]):
            if packet.size and not packet.is_corrupt and packet.pts is not None:
                yield packet
    except FAULTS:
        return


def _open_piece(path: Path) -> InputContainer:
    try:
        container = av.open(f"file:{path}")
    except FAULTS as error:
        raise DataError(
            f"the piece of a video cannot be opened ({error})",
            where=str(path),
            remedy="Begin anew (--overwrite).",
        ) from error
    for stream in container.streams:
        stream.discard = Discard.default if stream.type == "video" else Discard.all
    return container


def _tick(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, 1000)


def _time(packet: Packet[VideoStream]) -> Fraction:
    assert packet.pts is not None
    return packet.pts * packet.time_base


def _check_alike(stream: VideoStream, source: VideoStream, path: Path) -> None:
    """Packets of one video share what its header says of how to decode them."""
    context, first_context = stream.codec_context, source.codec_context
    for name in ("name", "width", "height", "pix_fmt", "extradata"):
        if getattr(context, name) != getattr(first_context, name):
            raise DataError(
                f"it does not fit the first piece of the video: another {name}",
                where=str(path),
                remedy="Begin anew (--overwrite).",
            )
