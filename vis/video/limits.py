"""What `vis` agrees to open: formats, codecs, protocols and sizes; all else is refused by name.

FFmpeg carries some 400 demuxers and 300 decoders; every one is a way in for a crafted file. A video
is opened only if its container and codec are on these lists, whatever its suffix says.
"""

from __future__ import annotations

import math

from vis.errors import VideoError

FILE_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,gif,mpegts,mpeg,flv,asf,ogg,ivf,h264,hevc,"
    "yuv4mpegpipe"
)
"""Containers of files. No playlist, no concatenation list, no image sequence is among them."""

STREAM_FORMATS = FILE_FORMATS + ",rtsp,sdp,mpjpeg,mjpeg"
"""Containers of network streams, opened only when the user gives a URL."""

FILE_PROTOCOLS = "file"
# no playlist: m3u8 leads to other files and addresses, which would be opened unasked
STREAM_PROTOCOLS = "rtsp,rtp,udp,tcp,tls,http,https"

CODECS = frozenset(
    {"av1", "libdav1d", "libaom-av1", "h264", "hevc", "vp8", "vp9", "libvpx", "libvpx-vp9"}
    | {"mpeg4", "mpeg2video", "mpeg1video", "mjpeg", "prores", "dnxhd", "ffv1", "gif", "h263"}
    | {"msmpeg4v1", "msmpeg4v2", "msmpeg4", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1", "flv"}
    | {"theora", "rawvideo", "png", "apng", "qtrle", "huffyuv", "ffvhuff", "cinepak", "svq3"}
)
"""Decoders by FFmpeg's name; checked by us, since PyAV does not hand FFmpeg's own list to them."""

MAX_PIXELS = 36_000_000
"""Width x height of one frame; 8K is 33 million. A GIF of 5 kB can ask for 16,000 x 16,000."""

MAX_SIDE = 32_768
"""As for masks, so that a mask of every picture can be stored."""

MAX_FRAMES_AHEAD = 64
"""Frames that may wait, decoded, for their reader."""

MAX_BYTES_AHEAD = 256 * 2**20
"""Bytes of decoded frames that may wait: 43 frames of 1080p, 2 of the largest size."""


def check_size(width: int, height: int, *, where: str) -> None:
    """Refuse a picture of unreasonable size before anything is allocated for it.

    Raises:
        VideoError: a side or the area is beyond the limits.
    """
    if width < 1 or height < 1:
        raise VideoError(f"the picture is {width} x {height} pixels", where=where)
    if width > MAX_SIDE or height > MAX_SIDE or width * height > MAX_PIXELS:
        raise VideoError(
            f"the picture is {width} x {height} pixels; at most {MAX_PIXELS:,} are read",
            where=where,
            remedy="Scale it down first",
        )


def frames_ahead(requested: int, width: int, height: int) -> int:
    """How many decoded frames may wait: what was asked for, within both limits, at least one."""
    by_memory = MAX_BYTES_AHEAD // (width * height * 3)
    return max(1, min(requested, MAX_FRAMES_AHEAD, by_memory))


def letterbox(width: int, height: int, *, into: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where a picture lands when fitted into another size: left, top, width, height in pixels."""
    wide, high = into
    scale = min(wide / width, high / height)
    w, h = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return (wide - w) // 2, (high - h) // 2, w, h
