"""A window in which the drawn frames are seen while they are written."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from vis.errors import DeviceError

if TYPE_CHECKING:
    from vis.records import Frame

_TITLE = "vis track"
_REMEDY = "Leave --show out, and look at the video that is written"


class PreviewWindow(Protocol):
    """Where frames are shown."""

    def show(self, frame: Frame) -> None:
        """Show a frame until the next one.

        Raises:
            KeyboardInterrupt: the user closed the window.
        """

    def close(self) -> None:
        """Close the window."""


def open_preview() -> PreviewWindow:
    """A window, by Tk.

    Raises:
        DeviceError: there is no screen here, or no Tk.
    """
    # asked before Tk: without a display it ends the process on some systems
    stated = any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    if sys.platform.startswith("linux") and not stated:
        raise DeviceError("there is no screen here (DISPLAY is not set)", remedy=_REMEDY)
    try:
        import tkinter
    except ImportError:
        raise DeviceError("Python has no Tk here", remedy=f"Install it. {_REMEDY}") from None
    try:
        return _TkWindow()
    except tkinter.TclError as error:
        raise DeviceError(f"no window can be opened ({error})", remedy=_REMEDY) from None


class _TkWindow:
    def __init__(self) -> None:
        import tkinter

        self._window = tkinter.Tk(className=_TITLE)
        self._label = tkinter.Label(self._window)
        self._label.pack()
        self._closed = False
        self._window.protocol("WM_DELETE_WINDOW", self._on_close)
        self._window.bind("q", lambda _: self._on_close())

    def show(self, frame: Frame) -> None:
        from PIL import ImageTk

        if self._closed:
            raise KeyboardInterrupt
        picture = Image.fromarray(frame.pixels)
        picture.thumbnail((self._window.winfo_screenwidth(), self._window.winfo_screenheight()))
        self._photo = ImageTk.PhotoImage(picture, master=self._window)  # Tk itself keeps none
        self._label.configure(image=self._photo)
        self._window.update()

    def close(self) -> None:
        self._window.destroy()

    def _on_close(self) -> None:
        self._closed = True
