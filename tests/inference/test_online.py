"""A model that goes on from frame to frame: all roads carry its state, and say the same."""

from fractions import Fraction
from typing import Any

import pytest
import torch

import vis
from tests.conftest import KINDS, write_film
from vis import models
from vis.errors import UsageError
from vis.inference.options import TrackOptions
from vis.inference.resolved_options import resolve
from vis.inference.windows import ResizedFrame, Window
from vis.models._contract import OnlineModel
from vis.records import FrameTracks
from vis.tracking import Config, Stamp

OPTIONS = {
    "size": 32,
    "threshold": 0.2,
    "tracker": Config(threshold=0.2, low_threshold=0.1, nms_iou=1.0, min_length=1, patience=3),
}


def tiny() -> Any:
    torch.manual_seed(0)
    model = models.build("videomt", classes=2, d_model=32, depth=3, num_heads=2, queries=6,
        image=64, frames=8, query_depth=2)  # fmt: skip
    # fresh layers say nearly the same of all frames; these differ, and classes come and go
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.35)
    model.class_names = ("cat", "dog")
    return model.eval()


def same(
    one: list[FrameTracks],
    other: list[FrameTracks],
    *,
    fields: tuple[str, ...] = ("scores", "masks"),
    tolerance: float = 0.0,
) -> None:
    assert [frame.ids.tolist() for frame in one] == [frame.ids.tolist() for frame in other]
    for ours, theirs in zip(one, other, strict=True):
        assert ours.index == theirs.index
        for name in fields:
            torch.testing.assert_close(
                *(torch.from_numpy(getattr(frame, name)) for frame in (ours, theirs)),
                atol=tolerance, rtol=0,
            )  # fmt: skip


def numbered(frames: int) -> list[Any]:
    generator = torch.Generator().manual_seed(2)
    return [
        torch.randint(0, 256, (40, 60, 3), generator=generator, dtype=torch.uint8).numpy()
        for _ in range(frames)
    ]


def by_loop(pictures: list[Any], *, at: int | None = None, **settings: Any) -> list[FrameTracks]:
    """A camera loop; before frame `at` it is saved and another one goes on."""
    tracker = vis.VideoTracker(tiny(), device="cpu", cuts=False, **(OPTIONS | settings))
    said: list[FrameTracks] = []
    for t, picture in enumerate(pictures):
        if t == at:
            state = tracker.state_dict()
            tracker = vis.VideoTracker(tiny(), device="cpu", cuts=False, **(OPTIONS | settings))
            tracker.load_state_dict(state)
        said += tracker.step(picture)
    return said + tracker.finish()


def test_a_loop_goes_on_from_its_state_and_forgetting_it_would_show():
    pictures = numbered(8)
    whole = by_loop(pictures)
    assert sum(map(len, whole)) > 8
    same(by_loop(pictures, at=5), whole)
    alone = by_loop(pictures[5:])
    theirs = whole[5:]
    assert any(
        one.masks.shape != two.masks.shape or abs(one.masks - two.masks).max(initial=0) > 1e-3
        for one, two in zip(alone, theirs, strict=True)
    )


def test_how_many_frames_are_seen_at_once_changes_nothing():
    pictures = numbered(8)
    # a score is that of the newest frame that is out, which is later in a window
    together = by_loop(pictures, window=3)
    same(together, by_loop(pictures), fields=("masks", "boxes"), tolerance=1e-5)


def test_a_frame_comes_out_at_once_and_one_plan_is_for_it():
    tracker = vis.VideoTracker(tiny(), device="cpu", **OPTIONS)
    first = [tracker.step(picture) for picture in numbered(3)]
    assert [len(frames) for frames in first] == [1, 1, 1]
    options = resolve(TrackOptions(), tiny())
    assert (options.window, options.stride, options.by_query) == (1, 1, True)
    assert options.tracker.min_length == 1
    with pytest.raises(UsageError, match="goes on from frame to frame"):
        resolve(TrackOptions(window=4, stride=2), tiny())


def test_a_cut_begins_anew():
    predictor = resolve(TrackOptions(), tiny()).predictor(tiny(), device="cpu")

    def step(picture: Any, state: Any, *, cut: bool = False) -> Any:
        small = predictor.resize(picture)
        frame = ResizedFrame(Stamp(0, Fraction(0)), small, None, cut)
        return predictor.step(Window((frame,), 1, 1), state)

    one, two = numbered(2)
    _, state = step(one, None)
    (cut, _), (fresh, _), (on, _) = step(two, state, cut=True), step(two, None), step(two, state)
    assert torch.equal(cut.masks, fresh.masks) and not torch.equal(on.masks, fresh.masks)


def test_tracking_a_film_is_the_loop_and_goes_on(tmp_path):
    source = tmp_path / "film.mp4"
    write_film(source, KINDS["h264"], 14)
    with vis.track(source, tiny(), device="cpu", cuts=False, **OPTIONS) as tracking:
        whole, states = [], {}
        for frame in tracking:
            whole.append(frame)
            states[frame.index] = tracking.state_dict()
    assert len(whole) == 14
    with vis.open_video(source) as reader:
        same(by_loop([frame.pixels for frame in reader]), whole)
    state = states[6]
    with vis.track(source, tiny(), device="cpu", cuts=False, state=state, **OPTIONS) as tracking:
        same(list(tracking), whole[7:])


def test_streamed_is_whole_on_frames_that_are_no_square():
    model = tiny()
    assert isinstance(model, OnlineModel)
    frames = torch.rand(2, 5, 3, 48, 80)
    clip = vis.records.Clip(frames, torch.tensor([[48, 80], [40, 70]]))
    with torch.inference_mode():
        whole, state = model(clip), None
        for t in range(5):
            part = vis.records.Clip(frames[:, t : t + 1], clip.sizes)
            output, state = model.step(part, state)
            for ours, theirs in zip(output.layers[0], whole.layers[0], strict=True):
                if ours is not None:
                    torch.testing.assert_close(ours[:, 0], theirs[:, t], atol=1e-5, rtol=1e-5)
