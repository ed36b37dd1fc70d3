"""What `benchmark_gpu.py` measures beside models: a step of training, a film, an evaluation."""

from __future__ import annotations

import argparse
import tempfile
import time
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmark_evaluation
import benchmark_gpu_cases as cases
import benchmark_track
import torch

import vis
from vis.datasets.loader import Batch
from vis.evaluation.average_precision import evaluate_tracks
from vis.inference.options import TrackOptions
from vis.inference.resolved_options import resolve
from vis.inference.windows import ResizedFrame, Window
from vis.jobs.job import Job, RunOptions
from vis.jobs.run import run
from vis.jobs.sources import Source
from vis.records import Clip, ClipTargets
from vis.tracking import Stamp
from vis.training.assemble import assemble, network_of
from vis.training.config import Optimisation, Training
from vis.training.ranks import Ranks
from vis.training.step import Report, take_step

if TYPE_CHECKING:
    from benchmark_gpu_cases import Case, Row, Setup

    from vis.models import Model

OBJECTS = 5
"""In a clip of training."""
THRESHOLD = 0.005
"""So low that random weights give tracks to draw."""
FILM_FRAMES, FILM_SIZE = 300, (1280, 720)


def training(setup: Setup) -> list[Row]:
    """A step of one clip: losses, gradients and parameters."""
    plain, less = {"precision": "bf16"}, {"precision": "bf16", "activation_checkpointing": True}
    rows = []
    for case in setup.cases(cases.VISTR, cases.TT_SRN):
        ways = ({"precision": "fp32"}, plain, less)[2 if setup.small else 0 :]
        rows += [_step(setup, case, Training(**way)) for way in ways]  # type: ignore[arg-type]
    return rows


def track(setup: Setup) -> list[Row]:
    """A 720p film to an annotated one, beside the model alone on windows that are ready."""
    models = {case.name: setup.model(case) for case in setup.cases(cases.VISTR)}
    if not setup.small:
        models["the model that ships"] = vis.load()
    frames, size = (6, cases.SMALL_SIZE[::-1]) if setup.small else (FILM_FRAMES, FILM_SIZE)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "film.mp4"
        benchmark_track.write_film(film, frames, size)
        for name, model in models.items():
            for precision in ("fp32", "bf16"):
                options = TrackOptions(
                    precision=precision,  # type: ignore[arg-type]
                    threshold=THRESHOLD,
                    size=cases.SMALL_SIZE[0] if setup.small else None,
                )
                rows.append(_alone(setup, name, model, options))
                rows.append(_whole(setup, name, model, options, film, frames))
    return rows


def evaluation(setup: Setup) -> list[Row]:
    """A made set of videos; no device takes part, but a GPU waits for it."""
    videos, frames, results = (1, 6, 2) if setup.small else (20, 200, 50)
    args = argparse.Namespace(
        videos=videos, frames=frames, results=results, width=320 if setup.small else 1280
    )
    pool = benchmark_evaluation.make_pool(args.width)
    truth = benchmark_evaluation.make_truth(pool, args)
    made = benchmark_evaluation.Videos(pool, args, args.results, 2)
    begun = time.perf_counter()
    evaluate_tracks(truth, made)
    seconds = time.perf_counter() - begun - made.seconds
    name = f"{videos} videos of {frames} frames, {results} results each"
    return [{"case": name, "seconds": seconds, "frames_per_second": videos * frames / seconds}]


def _step(setup: Setup, case: Case, settings: Training) -> Row:
    ranks, optimisation = Ranks(0, 1, setup.device), Optimisation()
    model = setup.model(case).train()
    state = assemble(model, training=settings, optimisation=optimisation, ranks=ranks)
    network, batches = network_of(state, ranks), repeat(_batch(case))

    def work() -> None:
        take_step(
            state,
            network,
            batches,
            Report(),
            training=settings,
            optimisation=optimisation,
            ranks=ranks,
        )

    less = ", activations computed again" if settings.activation_checkpointing else ""
    return cases.measured(setup, f"{case.name}, {settings.precision}{less}", work, case.frames)


def _batch(case: Case) -> Batch:
    """As the loader gives it: bytes, in the host's memory."""
    draw = torch.Generator().manual_seed(0)
    T, (height, width) = case.frames, case.size
    frames = torch.randint(0, 256, (1, T, 3, height, width), generator=draw, dtype=torch.uint8)
    masks = torch.zeros((OBJECTS, T, height, width), dtype=torch.bool)
    masks[..., height // 4 : height // 2, width // 4 : width // 2] = True
    boxes = torch.tensor([0.25, 0.25, 0.5, 0.5]).expand(OBJECTS, T, 4).contiguous()
    visible = torch.ones((OBJECTS, T), dtype=torch.bool)
    targets = ClipTargets(torch.arange(OBJECTS), boxes, masks, visible)
    return Batch(0, Clip(frames, torch.tensor([case.size])), [targets], [case.name], [], 0.0)


def _alone(setup: Setup, name: str, model: Model[Any], options: TrackOptions) -> Row:
    resolved = resolve(options, model)
    predictor = resolved.predictor(model, device=str(setup.device))
    shape = (3, resolved.short, resolved.longest)
    frames = tuple(
        ResizedFrame(Stamp(n, n), torch.randint(0, 256, shape, dtype=torch.uint8), None)  # type: ignore[arg-type]
        for n in range(resolved.window)
    )
    window = Window(frames, resolved.stride, resolved.stride)
    work = lambda: predictor.predict([window])  # noqa: E731
    return cases.measured(setup, f"{name}, {options.precision}: model alone", work, resolved.stride)


def _whole(
    setup: Setup, name: str, model: Model[Any], options: TrackOptions, film: Path, frames: int
) -> Row:
    job = Job(Source(str(film), "film"), film.parent / "out", ("video", "json"), "film")
    settings = RunOptions(overwrite=True, device=str(setup.device))
    work = lambda: run(job, model, "", options=options, run_options=settings)  # noqa: E731
    title = f"{name}, {options.precision}: film to annotated film"
    return cases.measured(setup, title, work, frames)
