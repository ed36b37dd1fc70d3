"""Time and memory of Mask2Former in our order of work and in the published one.

    python scripts/benchmark_mask2former.py --frames 8 --size 384x640 --device cuda

Each order runs in a process of its own. Published: masks of a quarter for every layer, a mask for
each head, the weights of attention kept, all masks enlarged before the best are chosen. Ours:
`vis.models.mask2former`. Both give the same answer.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import torch
from published_attention import attended
from torch.nn.functional import interpolate

from vis import models
from vis.layers.padding import normalize, padded_size_of, padding_mask
from vis.models._query_selection import QueryClassPairs, best_pairs
from vis.records import Clip

if TYPE_CHECKING:
    from torch import Tensor

    from vis.layers.masked_decoder import MaskedLayer
    from vis.models.mask2former import Mask2Former

ORDERS = ("published", "ours")


def main() -> int:
    """Print a line for each order."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", default="384x640", help="height x width in pixels")
    parser.add_argument("--backbone", default="resnet50")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--order", choices=ORDERS, help="measure this one, here")
    options = parser.parse_args()
    if options.order:
        print(json.dumps(measure(options)))
        return 0
    for order in ORDERS:
        command = [sys.executable, *sys.argv, "--order", order]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
        numbers = json.loads(found.stdout.splitlines()[-1])
        print(f"{order:>10}", *(f"{name} {value:.4g}" for name, value in numbers.items()), sep="  ")
    return 0


def measure(options: argparse.Namespace) -> dict[str, float]:
    """Seconds a frame, the best of some runs, and the most memory that was ever held."""
    torch.manual_seed(0)
    height, width = (int(side) for side in options.size.split("x"))
    model = models.build(
        "mask2former", classes=40, backbone=options.backbone, frames=options.frames
    )
    model = model.eval().to(options.device)
    pixels = torch.rand(1, options.frames, 3, height, width, device=options.device)
    clip = Clip(pixels, torch.tensor([[height, width]], device=options.device))
    order = {"published": published_order, "ours": our_order}[options.order]
    cuda = torch.device(options.device).type == "cuda"
    weights = torch.cuda.memory_allocated() if cuda else _resident()
    # of a processor, only the time counts that this process had
    clock = time.perf_counter if cuda else time.process_time
    best = float("inf")
    for _ in range(options.repeat):
        begun = clock()
        order(model, clip)
        if cuda:
            torch.cuda.synchronize()
        best = min(best, clock() - begun)
    most = torch.cuda.max_memory_allocated() if cuda else _resident()
    return {"seconds_per_frame": best / options.frames, "MiB": (most - weights) / 2**20}


@torch.inference_mode()
def our_order(model: Mask2Former, clip: Clip) -> tuple[QueryClassPairs, Tensor]:
    """The best pairs of the only clip, and their mask logits `[N T H W]` over its content."""
    output = model(clip)
    chosen = best_pairs(output.queries.logits[-1][0].softmax(-1)[:, :-1], 10)
    select = torch.zeros(output.states.shape[:2], dtype=torch.bool, device=clip.frames.device)
    select[0, chosen.queries] = True
    places = chosen.queries.unique(return_inverse=True)[1]
    large = interpolate(output.masks().logits(select), output.queries.padded_size, mode="bilinear")
    height, width = clip.sizes[0].tolist()
    return chosen, large[places, :, :height, :width]


@torch.inference_mode()
def published_order(model: Mask2Former, clip: Clip) -> tuple[QueryClassPairs, Tensor]:
    """The same by the long way."""
    padded_size = padded_size_of(clip.frames, 32)
    frames = normalize(clip.frames[0], padding_mask(clip.sizes, padded_size), clip.frames.dtype)
    mask_features, levels = model.pixel_decoder(model.backbone(frames))
    decoder, T = model.decoder, len(mask_features)
    tokens, keys = [], []
    for level, embed in zip(levels, decoder.level_embed.weight, strict=True):
        whole = torch.zeros((1, T, *level.shape[2:]), dtype=torch.bool, device=level.device)
        flat = (level.permute(0, 2, 3, 1) + embed).flatten(0, 2)[None]
        tokens.append(flat)
        keys.append(flat + decoder.positions(whole).flatten(1, 3))
    state = decoder.content.weight[None]
    said = [_predicted(model, state, mask_features, levels[0].shape[2:])]
    for index, layer in enumerate(decoder.layers):
        at, after = index % 3, (index + 1) % 3
        blocked = said[-1][2]
        state = _layer(layer, state, decoder.query_positions.weight, tokens[at], keys[at], blocked)
        said.append(_predicted(model, state, mask_features, levels[after].shape[2:]))
    logits, masks, _ = said[-1]
    large = interpolate(masks, padded_size, mode="bilinear")
    chosen = best_pairs(logits[0].softmax(-1)[:, :-1], 10)
    height, width = clip.sizes[0].tolist()
    return chosen, large[chosen.queries, :, :height, :width]


def _predicted(
    model: Mask2Former, state: Tensor, mask_features: Tensor, size: torch.Size
) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, masks `[Q T h w]`, and `[heads Q T*h*w]` bool, True where not to look."""
    normed = model.decoder.norm(state)
    masks = torch.einsum("qd,tdhw->qthw", model.decoder.mask_head(normed)[0], mask_features)
    small = interpolate(masks, size, mode="bilinear", align_corners=False)
    blocked = (small.sigmoid() < 0.5).flatten(1)
    blocked[blocked.all(dim=1)] = False
    return model.class_head(normed), masks, blocked.repeat(model.config.num_heads, 1, 1)


def _layer(
    layer: MaskedLayer,
    state: Tensor,
    queries: Tensor,
    tokens: Tensor,
    keys: Tensor,
    blocked: Tensor,
) -> Tensor:
    seen = attended(layer.cross_attention, state + queries, keys, tokens, blocked=blocked)
    state = layer.norm1(state + seen)
    placed = state + queries
    state = layer.norm2(state + attended(layer.self_attention, placed, placed, state))
    return layer.norm3(state + layer.feedforward(state))


def _resident() -> int:
    """The most bytes that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
