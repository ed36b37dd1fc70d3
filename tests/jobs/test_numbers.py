"""What a model gives that is no number, nothing, or all there is, spoils no track and no file."""

import json
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from tests.conftest import KINDS, write_film
from tests.inference.knowing import Knowing
from vis.errors import VisWarning
from vis.inference.options import TrackOptions
from vis.jobs.job import RunOptions
from vis.jobs.many import plan_jobs, track_all
from vis.tracking.config import Config
from vis.tracking.tracker import Tracker
from vis.tracking.windows import Stamp

SAVE = ("json", "jsonl", "coco", "mots", "csv")
NAN, INF = float("nan"), float("inf")


class Changed(Knowing):
    """What it knows of the windows that hold the fifth frame is changed."""

    def __init__(self, change) -> None:
        super().__init__(6, embeddings=True)
        self.change = change

    def predictions(self, output, clip):
        known = zip(output, super().predictions(output, clip), strict=True)
        return [self.change(said) if 4 in numbers else said for numbers, said in known]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    write_film(tmp_path / "film.mp4", KINDS["h264"], 12)
    return tmp_path / "film.mp4"


def track(film: Path, change) -> list[dict]:
    """The results, after a look at every file for what is no number."""
    out = film.parent / "out"
    plans, run_options = plan_jobs([str(film)], out, SAVE), RunOptions(device="cpu")
    (done,) = track_all(
        plans, Changed(change), options=TrackOptions(size=96), run_options=run_options
    )
    assert done.error is None
    for path in out.rglob("*.json*"):
        text = path.read_text()
        for line in text.splitlines() if path.suffix == ".jsonl" else [text]:
            json.loads(line, parse_constant=lambda word, path=path: pytest.fail(f"{path}: {word}"))
    assert "nan" not in next(out.rglob("*.csv")).read_text().lower()
    return json.loads((out / "film.json").read_text())


@pytest.mark.parametrize(
    ("name", "value", "is_noted"),
    [
        ("scores", NAN, False),
        ("scores", INF, True),
        ("class_scores", NAN, True),
        ("embeddings", INF, True),
        ("embeddings", NAN, True),
        ("masks", NAN, False),
        ("presence", NAN, False),
        ("boxes", NAN, False),
    ],
)
@pytest.mark.filterwarnings("always")
def test_what_is_no_number_spoils_no_track(film: Path, name: str, value: float, is_noted: bool):
    def change(said):
        tensor = getattr(said, name).clone()
        tensor[0].view(-1)[::3] = value  # of a mask, some cells
        return replace(said, **{name: tensor})

    if is_noted:
        with pytest.warns(VisWarning, match="not finite"):
            results = track(film, change)
    else:
        results = track(film, change)
    assert [round(result["score"], 3) for result in results] == [0.9, 0.9, 0.9]


def rows(said, count: int, mask: torch.Tensor):
    """So many objects, each with this mask in every frame."""
    shape = (count, *said.masks.shape[1:])
    return replace(
        said,
        scores=torch.full((count,), 0.9),
        labels=torch.zeros(count, dtype=torch.int64),
        class_scores=torch.tensor([[0.9, 0.02, 0.02]]).repeat(count, 1),
        boxes=torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(count, shape[1], 1),
        masks=mask.expand(shape),
        presence=torch.ones(shape[:2]),
        embeddings=torch.eye(3)[:1].repeat(count, 1),
    )


def test_one_cell_the_whole_frame_and_nothing(film: Path):
    cell = torch.zeros(24, 40)
    cell[3, 5] = 1
    sizes = []
    for mask in (cell, torch.ones(24, 40), torch.zeros(24, 40)):
        results = track(film, lambda said, mask=mask: rows(said, 1, mask))
        sizes.append(len(results))
        for path in sorted((film.parent / "out").rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        (film.parent / "out").rmdir()
    assert min(sizes) >= 1
    assert track(film, lambda said: rows(said, 0, cell))


def test_more_objects_than_are_followed_take_seconds():
    side, count = 32, 1000
    masks = torch.zeros(count, 1, side, side)
    masks.view(count, -1)[torch.arange(count), torch.arange(count)] = 1
    said = rows(Knowing(6)._said([0], 24, 40), count, torch.zeros(24, 40))
    said = replace(said, masks=masks, presence=torch.ones(count, 1), embeddings=None)
    tracker = Tracker(Config(), classes=3)
    begun = time.process_time()
    (frame,) = tracker.step(said, [Stamp(0, Fraction(0))], 1)
    assert 0 < len(frame) <= count
    assert time.process_time() - begun < 20
