"""The sound of a source, copied packet by packet in step with the pictures, never re-encoded."""

from __future__ import annotations

import io
import os
import warnings
from collections import deque
from typing import TYPE_CHECKING

import av
from av.bitstream import BitStreamFilterContext
from av.stream import Discard, Stream

from vis.errors import DamageWarning, VisWarning
from vis.video.decoder import FAULTS, open_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction

    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet


_USUAL_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""By number of channels."""
_PEEK = 1000
"""Packets among which every stream must begin; about ten seconds of two streams."""


class AudioCopy:
    """All audio streams of a video file; a bounded number of packets is held.

    Args:
        path: a regular file that holds a video.

    Raises:
        InputError: it cannot be read.
        VideoError: it is not a video of a kind that is opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._name = os.fspath(path)
        self._source, video = open_file(path)
        self._streams = list(self._source.streams.audio)
        self._begin = (video.start_time or 0) * (video.time_base or 1)
        for stream in self._source.streams:
            # the demuxer passes over the packets of a stream that is discarded
            stream.discard = Discard.default if stream in self._streams else Discard.all
        self._outputs: dict[int, Stream] = {}
        self._last: dict[int, int] = {}
        self._adts_filters: dict[int, BitStreamFilterContext | None] = {}
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._peeked: deque[Packet[Stream]] = deque()
        self._next: Packet[Stream] | None = None
        self._damaged_packets = 0

    @property
    def rates(self) -> list[int]:
        """Samples per second of each stream."""
        return [stream.sample_rate for stream in self._streams if stream.sample_rate]

    def __len__(self) -> int:
        return len(self._streams)

    def attach(self, container: OutputContainer, *, first: Fraction, shift: Fraction) -> None:
        """Add the streams that `container` takes, and warn of the others.

        Args:
            container: whose header is not written yet.
            first: source time of the first frame in seconds; if the video starts earlier in the
                source, the sound before `first` is left out.
            shift: seconds to add to every time.
        """
        self._container, self._shift = container, shift
        self._from_time = first if first > self._begin else None
        accepted = [stream for stream in self._streams if _accepts(container.format.name, stream)]
        refused = sorted({_codec(stream) for stream in self._streams if stream not in accepted})
        if refused:
            self.warn_left_out(f"{container.format.name} takes no {' or '.join(refused)}")
        if accepted:
            self._packets = self._source.demux(accepted)
        for stream in self._present_streams(accepted):
            output = _add_stream(container, stream)
            output.metadata.update(stream.metadata)
            self._outputs[stream.index] = output
        self._next = self._read()

    def copy_until(self, time: Fraction) -> None:
        """Copy the packets that begin before `time`, in seconds of the source."""
        while self._next is not None and _start(self._next) < time:
            packet = self._next
            # in this order Ctrl-C may lose a packet; one that came twice would end the file
            self._next = self._read()
            self._copy(packet)

    def close(self) -> None:
        """Close the source, and say what was lost."""
        self._next = None
        self._source.close()
        if self._damaged_packets:
            count, self._damaged_packets = self._damaged_packets, 0
            warnings.warn(
                f"{self._name}: {count} damaged audio packets were left out",
                DamageWarning,
                stacklevel=2,
            )

    def warn_left_out(self, reason: str) -> None:
        """Say that sound is missing from the output."""
        warnings.warn(
            f"{self._name}: {reason}; that sound is left out. An .mkv may keep it.",
            VisWarning,
            stacklevel=2,
        )

    def _present_streams(self, streams: list[AudioStream]) -> list[AudioStream]:
        """Those of `streams` that have a packet near the start.

        MP4 writes nothing, not even pictures, until all of its streams have begun.
        """
        present: set[int] = set()
        while len(present) < len(streams) and len(self._peeked) < _PEEK:
            packet = self._next_packet()
            if packet is None:
                break
            self._peeked.append(packet)
            present.add(packet.stream_index)
        if len(present) < len(streams) and len(self._peeked) == _PEEK:
            self.warn_left_out(f"{len(streams) - len(present)} audio streams begin too late")
        return [stream for stream in streams if stream.index in present]

    def _read(self) -> Packet[Stream] | None:
        """The next packet for one of the outputs, or None at the end of what can be read."""
        while True:
            packet = self._peeked.popleft() if self._peeked else self._next_packet()
            if packet is None or packet.stream_index in self._outputs:
                return packet

    def _next_packet(self) -> Packet[Stream] | None:
        """The next packet with times that rise, or None at the end of what can be read."""
        try:
            for packet in self._packets:
                if packet.size and self._usable(packet):  # the end of a stream has no size
                    return packet
        except FAULTS:
            self._damaged_packets += 1
        return None

    def _usable(self, packet: Packet[Stream]) -> bool:
        """Whether it is whole, later than the last one of its stream, and part of the video."""
        last = self._last.get(packet.stream_index)
        if packet.pts is None or packet.dts is None or packet.is_corrupt:
            self._damaged_packets += 1
            return False
        if last is not None:
            # FFmpeg's muxers refuse times that do not rise
            if packet.dts <= last:
                self._damaged_packets += 1
                return False
            if not packet.duration:  # MP4 would lose the last one
                packet.duration = packet.dts - last
        self._last[packet.stream_index] = packet.dts
        return self._from_time is None or _end(packet) > self._from_time

    def _copy(self, packet: Packet[Stream]) -> None:
        index, tick = packet.stream_index, packet.time_base
        if index not in self._adts_filters:
            self._adts_filters[index] = _adts_remover(packet)
        adts_filter = self._adts_filters[index]
        for output_packet in [packet] if adts_filter is None else adts_filter.filter(packet):
            assert output_packet.pts is not None and output_packet.dts is not None
            output_packet.time_base = tick
            output_packet.pts += round(self._shift / tick)
            output_packet.dts += round(self._shift / tick)
            output_packet.stream = self._outputs[index]
            self._container.mux_one(output_packet)


def _adts_remover(packet: Packet[Stream]) -> BitStreamFilterContext | None:
    """What takes off the header that AAC has in transport streams; fragmented MP4 refuses it."""
    sync = int.from_bytes(bytes(packet)[:2], "big") & 0xFFF0
    if packet.stream.name != "aac" or sync != 0xFFF0:
        return None
    return BitStreamFilterContext("aac_adtstoasc", packet.stream)


def _accepts(container: str, stream: AudioStream) -> bool:
    """Whether a container of that format takes the stream: only its own header writer knows."""
    # by default MP4 describes its streams after the last packet, and refuses no PCM until then
    early = container in ("mp4", "mov") and _codec(stream).startswith("pcm_")
    options = {"movflags": "empty_moov"} if early else {}
    try:
        # FFmpeg's lists of codecs by container are longer than what its muxers write
        with av.open(io.BytesIO(), "w", format=container, options=options) as trial:
            _add_stream(trial, stream)
            trial.start_encoding()
    except FAULTS:
        return False
    return True


def _add_stream(container: OutputContainer, stream: AudioStream) -> Stream:
    """A stream like that of the source; where it names no loudspeakers, the usual ones."""
    output = container.add_stream_from_template(stream)
    # Matroska states how many channels PCM has and not which; MP4 must say (ISO/IEC 23003-5)
    if stream.layout.name.endswith(" channels") and stream.channels in _USUAL_LAYOUTS:
        output.codec_context.layout = _USUAL_LAYOUTS[stream.channels]
    return output


def _codec(stream: AudioStream) -> str:
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else "unknown codec"


def _start(packet: Packet[Stream]) -> Fraction:
    assert packet.pts is not None
    return packet.pts * packet.time_base


def _end(packet: Packet[Stream]) -> Fraction:
    return _start(packet) + (packet.duration or 0) * packet.time_base
