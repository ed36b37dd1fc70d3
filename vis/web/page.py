"""The page itself, by gradio: what a visitor picks, and the job that is made of it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator  # noqa: TC003  gradio resolves the types of its handlers
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio

from vis.errors import UsageError, VisError
from vis.inference.model_classes import names_of
from vis.inference.options import THRESHOLD, TrackOptions
from vis.outputs.sinks import KINDS as ALL_KINDS
from vis.web.results import KINDS, notice, progress, results
from vis.web.work import NEEDED, StoppedError, Watcher, track_upload

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vis.models import Model
    from vis.web.sessions import Session, Sessions
    from vis.web.work import Limits, Tracked

WAITING = 16
"""Jobs that wait at most."""
_STEP = 0.5
"""Seconds from one look at the progress to the next."""
_TITLE = "Find, outline, name and follow every object in a video"
_HINT = (
    "{megabytes} MB and {seconds} s at most. Files stay on this machine, are yours alone, and are"
    " removed when you close the page, or after an hour."
)
# an event carries the key of a file, never gradio's record of it: gradio would copy what that names
_KEY_OF_VIDEO = "video => video ? (video.path || (video.video || {}).path || '') : ''"


class Page:
    """What the page does; one job at a time.

    Args:
        sessions: of the visitors.
        models: by the name that is shown; the first is taken unless another is picked.
        device: that they run on.
        limits: for what visitors bring.
        cookie: name of the cookie that has the secret of a session.
    """

    def __init__(
        self,
        sessions: Sessions,
        models: Mapping[str, Model[Any]],
        *,
        device: str,
        limits: Limits,
        cookie: str,
    ) -> None:
        self._sessions, self._models, self._cookie = sessions, models, cookie
        self._device, self._limits = device, limits
        self._worker = ThreadPoolExecutor(1)
        self._jobs: list[Future[Tracked]] = []
        """That run or wait, in order."""

    def blocks(self) -> Any:
        """The gradio page."""
        hint = _HINT.format(megabytes=self._limits.megabytes, seconds=self._limits.seconds)
        first = next(iter(self._models))
        with gradio.Blocks(title="vis", analytics_enabled=False, fill_width=True) as blocks:
            _html(f"<h1 class='vis-title'>vis</h1><p class='vis-soft'>{_TITLE}</p>")
            with gradio.Row():
                with gradio.Column(scale=3):
                    video = gradio.Video(
                        label="Video", sources=["upload", "webcam"], elem_id="upload"
                    )
                    _html(f"<p class='vis-soft'>{hint}</p>")
                with gradio.Column(scale=2, min_width=280):
                    picks = self._picks(first)
                    start = gradio.Button("Track", variant="primary", elem_id="track")
                    cancel = gradio.Button("Cancel", visible=False, elem_id="cancel")
            state = _html(elem_id="state")
            output = _html(elem_id="result")
            key = gradio.Textbox(visible=False)
            buttons = [start, cancel]
            video.change(None, [video], [key], js=_KEY_OF_VIDEO)
            picks[0].change(self._classes, [picks[0]], [picks[1]], api_name=False)
            job = start.click(_running, None, [*buttons, output]).then(
                self.track,
                [key, *picks],
                [state, output],
                show_progress="hidden",
            )
            job.then(_idle, None, buttons)
            cancel.click(self.cancel, None, [*buttons, state], cancels=[job])
            # with it a page keeps a connection open, whose end tells that the page was closed
            blocks.unload(lambda: None)
        # the jobs wait in the line of the page, which can tell their places
        blocks.queue(api_open=False, default_concurrency_limit=None)
        return blocks

    def _picks(self, first: str) -> list[Any]:
        optional = [(KINDS[kind], kind) for kind in ALL_KINDS if kind not in NEEDED]
        # a film of two minutes is thousands of PNGs: made only for who asks for them
        usual = [kind for _, kind in optional if kind != "frames"]
        return [
            gradio.Dropdown(list(self._models), value=first, label="Model", elem_id="model"),
            gradio.Dropdown(
                list(names_of(self._models[first]).values()),
                label="Classes",
                info="None for all",
                multiselect=True,
                elem_id="classes",
            ),
            gradio.Slider(
                0,
                1,
                THRESHOLD,
                step=0.05,
                label="Threshold",
                info="Score from which objects are written",
            ),
            gradio.CheckboxGroup(
                optional,
                value=usual,
                label="Downloads beside video and table",
                elem_id="kinds",
            ),
        ]

    def _classes(self, model: str) -> Any:
        names = list(names_of(self._models[model]).values())
        return gradio.update(choices=names, value=[])

    def track(
        self,
        key: str,
        model: str,
        classes: list[str] | None,
        threshold: float,
        kinds: list[str],
        request: gradio.Request,
    ) -> Iterator[tuple[str, str]]:
        """What the visitor sees: state and result, again and again until the job is over."""
        session = self._sessions.find(request.cookies.get(self._cookie))
        try:
            if session is None:
                raise UsageError("this page was left for too long", remedy="Load it again.")
            options = TrackOptions(classes=tuple(classes or ()) or None, threshold=threshold)
            if model not in self._models:
                raise UsageError("there is no such model", remedy="Pick one of the list.")
            yield from self._job(session, key, self._models[model], options, kinds)
        except StoppedError:
            yield notice("Cancelled."), ""
        except VisError as error:
            yield notice(str(error), is_error=True), ""
        except Exception as error:  # noqa: BLE001  the server goes on for the others
            traceback.print_exc()
            line = f"A fault of vis itself ({type(error).__name__}); the server's log has it."
            yield notice(line, is_error=True), ""

    def cancel(self, request: gradio.Request) -> tuple[Any, Any, str]:
        """Stop the visitor's job."""
        session = self._sessions.find(request.cookies.get(self._cookie))
        if session is not None:
            session.stop.set()
        return (*_idle(), notice("Cancelled."))

    def _job(
        self,
        session: Session,
        key: str,
        model: Model[Any],
        options: TrackOptions,
        kinds: list[str],
    ) -> Iterator[tuple[str, str]]:
        upload = session.files.get(key)
        if upload is None:
            raise UsageError("there is no video", remedy="Drop one, or record one.")
        if session.is_busy:
            raise UsageError("your last job has not stopped yet", remedy="Try again in a moment.")
        if len(self._jobs) > WAITING:
            raise UsageError(f"{WAITING} jobs wait already", remedy="Come back later.")
        session.stop.clear()
        session.drop("results")
        watcher = Watcher(session.stop)
        work = partial(
            track_upload, options=options, kinds=kinds, device=self._device, limits=self._limits
        )
        folder = session.new_folder("results")
        busy = ExitStack()
        busy.enter_context(self._sessions.busy(session))
        job = self._worker.submit(work, upload, folder, model, watcher=watcher)
        self._jobs.append(job)
        job.add_done_callback(lambda job: self._end(session, job, busy))
        try:
            while not wait([job], _STEP).done:
                line = list(self._jobs)  # other threads take theirs out
                yield progress(watcher, line.index(job) if job in line else 0), ""
        finally:
            # closed where the visitor cancels; whoever closes must not wait for the job
            if not job.done():
                session.stop.set()
                job.cancel()
        yield "", results(job.result(), lambda path, name: f"file/{session.store(path, name)}")

    def _end(self, session: Session, job: Future[Tracked], busy: ExitStack) -> None:
        """A job that did not come to its end leaves nothing."""
        self._jobs.remove(job)
        if job.cancelled() or job.exception() is not None:
            session.drop("results")
        busy.close()


def _html(*value: str, **settings: Any) -> Any:
    # gradio's own look of tables and buttons is that of a text, not of a tool
    return gradio.HTML(*value, apply_default_css=False, padding=False, **settings)


def _running() -> tuple[Any, Any, str]:
    return gradio.update(visible=False), gradio.update(visible=True), ""


def _idle() -> tuple[Any, Any]:
    return gradio.update(visible=True), gradio.update(visible=False)
