"""Opening a file with PyAV and decoding it packet by packet: one bad packet costs one frame."""

from __future__ import annotations

import os
import stat
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
from av.packet import Packet

from vis.errors import InputError, VideoError
from vis.file_signatures import foreign_kind
from vis.records import Colour, VideoInfo
from vis.video import limits
from vis.video.orientation import Orientation, from_display_matrix

if TYPE_CHECKING:
    from av.buffer import Buffer
    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

FAULTS = (av.error.FFmpegError, IndexError, UnicodeDecodeError, ValueError, OverflowError)
"""What PyAV raises on damaged input; IndexError and UnicodeDecodeError are its own slips."""

_PICTURES = frozenset({"mjpeg", "png"})
"""Codecs of which each packet is a picture, whatever became of the others."""


def open_file(
    path: str | os.PathLike[str], *, threads: int = 0
) -> tuple[InputContainer, VideoStream]:
    """Open a regular file and choose its video stream, by the allow-lists of `limits`.

    Args:
        path: a file; its name is never read as a protocol.
        threads: decoding threads; 0 lets FFmpeg choose.

    Raises:
        InputError: missing, empty, unreadable or not a regular file.
        VideoError: not a video of a kind that is opened here.
    """
    name = os.fspath(path)
    _check_regular(name)
    options = {
        "format_whitelist": limits.FILE_FORMATS,
        "protocol_whitelist": limits.FILE_PROTOCOLS,
    }
    try:
        # without "file:", names such as http:x or concat:a|b are obeyed as protocols
        # replace: damaged text of the metadata would else raise UnicodeDecodeError
        # PyAV's log stays off: its callback and frame threads wait for one another for ever
        # (PyAV #367, #751, #909)
        container = av.open("file:" + name, options=options, metadata_errors="replace")
    except FAULTS as error:
        with Path(name).open("rb") as file:
            raise foreign_error(file.read(4096), name) from error
    return container, choose_stream(container, name, threads=threads)


def choose_stream(container: InputContainer, name: str, *, threads: int = 0) -> VideoStream:
    """The video stream to read: the first that is no cover picture, the default one if several.

    Raises:
        VideoError: no video stream, a codec that is not opened here, or a size beyond the limits.
    """
    streams = [s for s in container.streams.video if not s.disposition & s.disposition.attached_pic]
    if not streams:
        sound = " (audio only)" if container.streams.audio else ""
        container.close()
        raise VideoError(f"no video stream{sound}", where=name, remedy="Give a file with pictures")
    stream = max(streams, key=lambda s: bool(s.disposition & s.disposition.default))
    if "avis" in container.metadata.get("compatible_brands", ""):
        # an animated AVIF: its still picture comes before its track (AV1 Image File Format, 6.2)
        stream = max(streams, key=lambda s: s.frames)
    context = stream.codec_context
    codec = context.name if context is not None else "unknown"
    # by name here: FFmpeg's codec_whitelist does not reach the decoders that PyAV opens
    if codec not in limits.CODECS:
        container.close()
        raise VideoError(
            f"the codec {codec} is not among those that are opened",
            where=name,
            remedy="Convert it to H.264 first",
        )
    if context.width and context.height:
        limits.check_size(context.width, context.height, where=name)
    context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    # frame threads end a truncated file without the error that others raise: what is missing
    # is found by `PacketAccounting`
    stream.thread_type = "AUTO"
    stream.codec_context.thread_count = threads
    return stream


def decode(packet: Packet[VideoStream], stream: VideoStream) -> tuple[list[VideoFrame], int]:
    """The frames that a packet sets free, and how many errors the decoder made on the way.

    An empty packet flushes the decoder. Flushing is repeated after an error, since the frames
    behind a broken one are still to come.
    """
    frames: list[VideoFrame] = []
    errors = 0
    flushing = packet.size == 0
    # packet by packet: the generator of `container.decode` stops for good at the first bad packet
    # bounded: a flush after errors must end even if the decoder makes errors for ever
    for _ in range(limits.MAX_FRAMES_AHEAD):
        try:
            batch = stream.decode(None if flushing else packet)
        except av.error.EOFError:
            break
        except FAULTS:
            errors += 1
        else:
            frames += batch
            if not batch or not flushing:
                break
        if not flushing:
            break
    return frames, errors


def be_exact(stream: VideoStream) -> bool:
    """Let the decoder refuse damage that it would show; False where frames need one another."""
    exact = stream.codec_context.name in _PICTURES
    if exact:
        stream.codec_context.options |= {"err_detect": "explode+crccheck"}
    return exact


def decode_damaged(packet: Packet[VideoStream], stream: VideoStream) -> list[VideoFrame]:
    """What a refused packet shows all the same, which is a picture of its own."""
    name = stream.codec_context.name
    context = cast("VideoCodecContext", av.CodecContext.create(name, "r"))
    context.extradata = stream.codec_context.extradata
    context.options = {"max_pixels": str(limits.MAX_PIXELS)}
    try:
        return context.decode(packet)
    except FAULTS:
        return []


def flush() -> Packet[VideoStream]:
    """An empty packet: it makes the decoder give out what it holds back."""
    return cast("Packet[VideoStream]", Packet())


def describe(
    name: str, container: InputContainer, stream: VideoStream, first: VideoFrame
) -> tuple[VideoInfo, Orientation]:
    """What the headers and the first frame say."""
    orientation = orientation_of(first)
    width, height = orientation.size(first.width, first.height)
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    upright = 1 / aspect if orientation.turns % 2 else aspect
    context = stream.codec_context
    info = VideoInfo(
        name=name,
        width=width,
        height=height,
        # the clock of MPEG streams, for a container that states none
        time_base=stream.time_base or Fraction(1, 90_000),
        frame_rate=_rate(stream),
        frames=stream.frames or None,
        duration=_duration(container, stream),
        rotation=orientation.degrees,
        mirrored=orientation.mirrored,
        pixel_aspect=upright,
        container=container.format.name.split(",")[0],
        codec=context.codec.canonical_name,
        pixel_format=first.format.name,
        colour=_colour(first),
        audio_streams=len(container.streams.audio),
    )
    return info, orientation


def orientation_of(frame: VideoFrame) -> Orientation:
    """The orientation that the frame's display matrix asks for.

    To ask ties the frame into a reference cycle: it then lives, with its picture, until the garbage
    collector comes by. So it is asked of first frames and where `frame.rotation` changes.
    """
    matrix = frame.side_data.get("DISPLAYMATRIX")
    return Orientation() if matrix is None else from_display_matrix(bytes(cast("Buffer", matrix)))


def foreign_error(head: bytes, name: str) -> VideoError:
    """An error that says what it is, by its first bytes, that cannot be opened as a video."""
    kind = foreign_kind(head)
    if kind is not None:
        return VideoError(f"{kind.what}, not a video", where=name, remedy=kind.remedy)
    if not any(byte < 9 or 13 < byte < 27 for byte in head):
        return VideoError("text, not a video", where=name, remedy="Give a video")
    return VideoError(
        "not a video of a known kind, or its header is damaged",
        where=name,
        remedy="Check that other players open it, or convert it to mp4",
    )


def _check_regular(name: str) -> None:
    try:
        status = Path(name).stat()
        readable = os.access(name, os.R_OK)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(reason, where=name, remedy="Check the path") from error
    if not stat.S_ISREG(status.st_mode):
        raise InputError(
            "neither a regular file nor a folder",
            where=name,
            remedy="Give a file, a folder of pictures, a camera number or a URL",
        )
    if not readable:
        raise InputError("the file may not be read", where=name, remedy="Change its permissions")
    if status.st_size == 0:
        raise InputError("the file is empty", where=name, remedy="Copy or download it again")


def _rate(stream: VideoStream) -> Fraction | None:
    rate = stream.average_rate or stream.guessed_rate
    # 90 kHz streams without a rate claim 90,000 frames per second
    return Fraction(rate) if rate and 0 < rate <= 1000 else None


def _duration(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Of the stream where stated; else of the container if the video is all that it holds."""
    if stream.duration and stream.time_base:
        return stream.duration * stream.time_base
    stated = _clock(stream.metadata.get("DURATION", ""))
    if stated is not None:
        return stated
    if container.duration and len(container.streams) == 1:
        return Fraction(container.duration, av.time_base)
    return None


def _clock(text: str) -> Fraction | None:
    """`01:02:03.5` in seconds, as Matroska's statistics tags have it."""
    parts = text.strip().split(":")
    if len(parts) != 3:
        return None
    try:
        hours, minutes, seconds = (Fraction(part) for part in parts)
    except (ValueError, ZeroDivisionError):
        return None
    return hours * 3600 + minutes * 60 + seconds


def _colour(frame: VideoFrame) -> Colour:
    return Colour(
        matrix=int(frame.colorspace),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        full_range=frame.color_range == 2,
    )
