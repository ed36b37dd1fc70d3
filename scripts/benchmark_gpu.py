"""Speed and memory on a GPU, part by part, into one JSON; what is published stands beside it.

    python scripts/benchmark_gpu.py -o gpu.json                  # at most 8 minutes on an H200
    python scripts/benchmark_gpu.py -o gpu.json --parts vistr track

Parts that are in the file already are not measured again; no part begins after `--seconds`.
"Published order" is a plain copy of the published order of work, in the same process, on the same
weights (`published_vistr.py`, `benchmark_mask2former.py`). Weights are random: speed is the same.
`--small` measures the same parts with toy models, to see on any machine that the script works.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmark_gpu_cases as cases
import benchmark_gpu_roads as roads
import torch
from benchmark_gpu_cases import Case, Row, Setup, measured
from benchmark_mask2former import our_order
from benchmark_mask2former import published_order as published_mask2former
from published_vistr import published_order as published_vistr

from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vis.models import Model
    from vis.records import Clip

SECONDS = 420.0
"""After which no part begins, unless told otherwise; one takes a minute at most."""


@dataclass(frozen=True)
class Part:
    """One entry of the file."""

    work: Callable[[Setup], list[Row]]
    published: str = ""


def vistr(setup: Setup) -> list[Row]:
    """Masks of all queries of a clip, as the published FPS counts them."""
    return _orders(setup, cases.VISTR)


def tt_srn(setup: Setup) -> list[Row]:
    """The same of TT-SRN."""
    return _orders(setup, cases.TT_SRN)


def mask2former_r50(setup: Setup) -> list[Row]:
    """The ten best tracks of a clip, at its size."""
    return _mask2former(setup, cases.MASK2FORMER_R50)


def mask2former_swin_large(setup: Setup) -> list[Row]:
    """The same with Swin-L."""
    return _mask2former(setup, cases.MASK2FORMER_SWIN_LARGE)


def videomt(setup: Setup) -> list[Row]:
    """Forward alone, frame by frame as published, and a window at once."""
    return [
        row
        for case in setup.cases(*cases.VIDEOMT)
        for frames in (1, case.frames)
        for row in _forwards(setup, case, frames, ("fp16",))
    ]


def rf_detr(setup: Setup) -> list[Row]:
    """Forward alone, one picture, at each published size."""
    return [
        row
        for case in setup.cases(*cases.RF_DETR)
        for row in _forwards(setup, case, 1, ("fp32", "fp16"))
    ]


def compiled(case: Case, frames: int, precision: str) -> Part:
    """Forward alone, plain and compiled, of which the first call tells the time of the compiler."""

    def work(setup: Setup) -> list[Row]:
        ways = (precision, f"{precision} compiled")
        return [row for one in setup.cases(case) for row in _forwards(setup, one, frames, ways)]

    return Part(work)


PARTS: dict[str, Part] = {
    "vistr": Part(vistr, "VisTR R50: 69.9 frames/s (its README; V100, forward alone)"),
    "tt_srn": Part(tt_srn, "TT-SRN: 55.3 frames/s (its article; GPU not named, forward alone)"),
    "training": Part(roads.training, "VisTR: 8 x V100 of 32 GB, one clip each"),
    "track": Part(roads.track),
    "mask2former_r50": Part(mask2former_r50),
    "mask2former_swin_large": Part(mask2former_swin_large),
    "rf_detr": Part(
        rf_detr, "N S M L XL 2XL: 3.4 4.4 5.9 8.8 13.5 21.8 ms (its README; T4, TensorRT, fp16)"
    ),
    "videomt": Part(
        videomt, "S 294, B 251, L 160 frames/s (its model zoo; H100, fp16, compiled, one frame)"
    ),
    "evaluation": Part(roads.evaluation),
    "compiled_vistr": compiled(cases.VISTR, 36, "bf16"),
    "compiled_videomt_large": compiled(cases.VIDEOMT[2], 1, "fp16"),
    "compiled_rf_detr_medium": compiled(cases.RF_DETR[2], 1, "fp16"),
    "compiled_mask2former_r50": compiled(cases.MASK2FORMER_R50, 36, "bf16"),
    "compiled_tt_srn": compiled(cases.TT_SRN, 36, "bf16"),
    "compiled_videomt_base": compiled(cases.VIDEOMT[1], 1, "fp16"),
    "compiled_videomt_small": compiled(cases.VIDEOMT[0], 1, "fp16"),
}
"""In the order of what they are worth, should the time end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what is not in the file yet, and print all that is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, required=True, help="the JSON, gone on with")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--small", action="store_true", help="toy models")
    options = parser.parse_args(arguments)
    setup = Setup(torch.device(options.device), small=options.small)
    found = json.loads(options.output.read_text()) if options.output.exists() else _machine(setup)
    begun, failed = time.perf_counter(), 0
    for name in options.parts:
        if "rows" in found["parts"].get(name, {}):
            continue
        if time.perf_counter() - begun > options.seconds:
            print(f"the time is over before {name}; the same command goes on", flush=True)
            break
        found["parts"][name] = entry = _entry(PARTS[name], setup)
        failed += "error" in entry
        # after each part: a run that is killed keeps those that are done
        write_whole(options.output, json.dumps(found, indent=1).encode(), overwrite=True)
        _print(name, entry)
    return int(failed > 0)


def _machine(setup: Setup) -> dict[str, Any]:
    cuda = setup.device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(setup.device) if cuda else platform.processor(),
        "torch": torch.__version__,
        "small": setup.small,
        "parts": {},
    }


def _entry(part: Part, setup: Setup) -> dict[str, Any]:
    begun = time.perf_counter()
    entry: dict[str, Any] = {"published": part.published}
    try:
        entry["rows"] = part.work(setup)
    # one part that fails must not cost the others the machine
    except Exception:  # noqa: BLE001
        entry["error"] = traceback.format_exc()
    setup.clear()
    return entry | {"took": time.perf_counter() - begun}


def _print(name: str, entry: dict[str, Any]) -> None:
    print(f"\n{name} ({entry['took']:.0f} s)   {entry['published']}", flush=True)
    for row in entry.get("rows", []):
        numbers = (f"{key} {value:.4g}" for key, value in row.items() if key != "case")
        print(f"  {row['case']:44}", *numbers, sep="  ", flush=True)
    print(entry.get("error", ""), end="", flush=True)


def _orders(setup: Setup, case: Case) -> list[Row]:
    """Ours beside the published order, in each precision, on one model."""
    (case,) = setup.cases(case)
    model, clip = setup.model(case), setup.clip(case)
    ours = lambda: model(clip).dense()  # noqa: E731
    published = lambda: published_vistr(model, clip)  # noqa: E731
    rows = []
    for precision in ("fp32", "tf32", "bf16"):
        for name, work in (("ours", ours), ("published order", published)):
            with setup.precision(precision):
                rows.append(measured(setup, f"{name}, {precision}", work, case.frames))
    for chunk in (4, 12, case.frames):
        model.set_chunk(chunk)
        with setup.precision("bf16"):
            rows.append(measured(setup, f"ours, bf16, {chunk} maps at once", ours, case.frames))
    with setup.precision("fp32"):
        rows.append(_difference("masks, ours less published", ours().masks, published()[2]))
    return rows


def _mask2former(setup: Setup, case: Case) -> list[Row]:
    (case,) = setup.cases(case)
    model: Any = setup.model(case)
    clip, rows = setup.clip(case), []
    for precision in ("fp32", "bf16"):
        for name, order in (("ours", our_order), ("published order", published_mask2former)):
            with setup.precision(precision):
                rows.append(
                    measured(
                        setup,
                        f"{name}, {precision}",
                        lambda order=order: order(model, clip),  # type: ignore[misc]
                        case.frames,
                    )
                )
    return rows


def _forwards(setup: Setup, case: Case, frames: int, ways: Sequence[str]) -> list[Row]:
    rows = []
    for way in ways:
        model, clip = setup.model(case), setup.clip(case, min(frames, case.frames))
        precision, _, compiling = way.partition(" ")
        if compiling:
            setup.compile(model)
        with setup.precision(precision):
            name = f"{case.name}, {way}, {frames} at once"
            rows.append(measured(setup, name, _forward(model, clip), clip.frames.shape[1]))
    return rows


def _forward(model: Model[Any], clip: Clip) -> Callable[[], object]:
    return lambda: model(clip)


def _difference(name: str, ours: Any, published: torch.Tensor) -> Row:
    far = (ours - published).abs().max().item() / published.abs().max().item()
    return {"case": name, "of_the_largest": far}


if __name__ == "__main__":
    sys.exit(main())
