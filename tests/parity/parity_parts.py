"""Compare parts of models with published ones: `tests/parity/parity_parts.py PART.npz ...`.

A file holds weights (`w.` and the published name), inputs (`in.`) and outputs (`out.`); its name
tells which part it is. One row an output tells the largest absolute difference. The exit code is 1
if one is above the tolerance.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from parity_parts_dat import dat_attention
from parity_parts_rf_detr import rf_detr_criterion
from parity_parts_videomt import tiny_clip
from torch import Tensor, nn

from vis.backbones import resnet, swin
from vis.errors import UsageError, VisError
from vis.layers.masked_decoder import MaskedDecoder
from vis.layers.pixel_decoder import PixelDecoder
from vis.layers.positions import AddedSinePositions3D, SinePositions2D
from vis.losses.points import IMPORTANCE, OVERSAMPLING
from vis.losses.query_loss import QueryLoss, QueryOutput
from vis.records import ClipTargets
from vis.weights import converters
from vis.weights.rename import rename

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TOLERANCE = 1e-4
LOGGED = ("class_error", "cardinality_error")
"""Numbers of a criterion that are no loss."""
Tensors = dict[str, Tensor]


def main() -> int:
    """Print the table; 1 if a row is above the tolerance."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="+", type=Path, metavar="PART.npz")
    failed = False
    for path in parser.parse_args().parts:
        try:
            for output, difference in rows_of(path):
                bad = not difference <= TOLERANCE
                failed |= bad
                verdict = "ABOVE" if bad else "ok"
                print(f"{path.stem:<20} {output:<22} {difference:10.3e}  {verdict}", flush=True)
        except VisError as error:
            print(f"{path.stem:<20} {error}", flush=True)
            failed = True
    return int(failed)


def rows_of(path: Path) -> Iterator[tuple[str, float]]:
    """Each output of a part and the largest difference of ours.

    Raises:
        UsageError: it is no part that is known, or an output has another shape.
    """
    compute = next((PARTS[name] for name in PARTS if path.stem.startswith(name)), None)
    if compute is None:
        raise UsageError(f"{path.name} is no part of: {', '.join(PARTS)}")
    with np.load(path) as stored:
        values = {_split(name): torch.from_numpy(stored[name]) for name in stored.files}
    weights, given, wanted = (_beginning(values, f"{word}.") for word in ("w", "in", "out"))
    found = compute(weights, given)
    for name, theirs in wanted.items():
        if name.startswith(LOGGED):
            continue
        if found[name].shape != theirs.shape:
            raise UsageError(f"{name}: {tuple(found[name].shape)} is not {tuple(theirs.shape)}")
        yield name, float((found[name].detach().double() - theirs.double()).abs().max())


@torch.inference_mode()
def pixel_decoder(weights: Tensors, given: Tensors) -> Tensors:
    """Three levels and the mask feature."""
    maps = [given[f"res{level}"] for level in (2, 3, 4, 5)]
    part = PixelDecoder(
        [x.shape[1] for x in maps],
        len(weights["mask_features.weight"][0]),
        out=len(weights["mask_features.weight"]),
        depth=2,
        num_heads=8,
    )
    fill(part, weights, "sem_seg_head.pixel_decoder.", "pixel_decoder.")
    mask_features, levels = part(maps)
    names = ("level0_stride32", "level1_stride16", "level2_stride8")
    return {"mask_features": mask_features, **dict(zip(names, levels, strict=True))}


def decoder_of_pictures(weights: Tensors, given: Tensors) -> Tensors:
    """The last prediction of three pictures."""
    logits, masks = decoded(weights, given, SinePositions2D(64), frames=1)
    return {"pred_logits": logits[-1], "pred_masks": masks[-1][:, :, 0]}


def decoder_of_clips(weights: Tensors, given: Tensors) -> Tensors:
    """All predictions of one clip of three frames."""
    logits, masks = decoded(weights, given, AddedSinePositions3D(64), frames=3)
    found = {"pred_logits": logits[-1], "pred_masks": masks[-1]}
    for index in range(len(logits) - 1):
        found |= {f"aux{index}_logits": logits[index], f"aux{index}_masks": masks[index]}
    return found


@torch.inference_mode()
def decoded(
    weights: Tensors, given: Tensors, positions: nn.Module, *, frames: int
) -> tuple[list[Tensor], list[Tensor]]:
    """Logits and masks of all predictions."""
    levels = [given[f"level{i}"] for i in range(3)]
    mask_features = given["mask_features"].unflatten(0, (-1, frames))
    queries, width = weights["query_feat.weight"].shape
    part = nn.Module()
    part.decoder = MaskedDecoder(
        width,
        out=mask_features.shape[2],
        queries=queries,
        depth=4,
        num_heads=8,
        ffn_dim=len(weights["transformer_ffn_layers.0.linear1.weight"]),
        positions=positions,
    )
    part.class_head = nn.Linear(width, len(weights["class_embed.bias"]))
    fill(part, weights, "sem_seg_head.predictor.", "")
    states, mask_embeddings = part.decoder(levels, mask_features)
    masks = [torch.einsum("bqd,btdhw->bqthw", k, mask_features) for k in mask_embeddings]
    return [part.class_head(state) for state in states], masks


def positions(_: Tensors, given: Tensors) -> Tensors:
    """Codes of a clip and of a picture."""
    whole = torch.zeros((1, *given["shape_thw"].tolist()), dtype=torch.bool)
    clip, picture = AddedSinePositions3D(32)(whole), SinePositions2D(32)(whole[:, :1])
    return {
        "sine3d_c32": clip.permute(0, 1, 4, 2, 3),
        "sine2d_c32": picture[:, 0].permute(0, 3, 1, 2),
    }


@torch.inference_mode()
def residual_blocks(weights: Tensors, given: Tensors) -> Tensors:
    """Stem and two blocks, the second with a stride."""
    from torchvision.models.resnet import Bottleneck

    from vis.layers.frozen import FrozenNorm

    def block(channels: int, width: int, stride: int) -> Bottleneck:
        shortcut = nn.Sequential(
            nn.Conv2d(channels, 4 * width, 1, stride, bias=False), FrozenNorm(4 * width)
        )
        return Bottleneck(channels, width, stride, shortcut, norm_layer=FrozenNorm)

    part = nn.Module()
    part.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
    part.bn1 = FrozenNorm(8)
    part.layer1, part.layer2 = nn.Sequential(block(8, 8, 1)), nn.Sequential(block(32, 16, 2))
    resnet._fold(part)
    stages = {"0.": "stem.", "1.": "res2.0.", "2.": "res3.0."}
    named = {stages[name[:2]] + name[2:]: value for name, value in weights.items()}
    fill(part, named, "backbone.", "backbone.")
    x = nn.functional.max_pool2d(part.conv1(given["image"]).relu(), 3, 2, 1)
    return {"y": part.layer2(part.layer1(x))}


@torch.inference_mode()
def swin_trunk(weights: Tensors, given: Tensors) -> Tensors:
    """Four levels of a picture of odd size."""
    part = swin.Swin(swin.Size(12, (2, 2, 2, 2), (1, 2, 3, 4), 7)).eval()
    fill(part, weights, "backbone.", "backbone.")
    return {f"res{i}": level for i, level in enumerate(part(given["image"]), 2)}


@torch.no_grad()
def criterion(_: Tensors, given: Tensors) -> Tensors:
    """Losses and matching of two layers, with the random numbers in the published order."""
    masks = torch.cat((given["aux_masks"], given["masks"]), dim=1)
    queries, frames = given["masks"].shape[1:3]
    one, none = torch.eye(queries).expand(2, -1, -1), torch.zeros(2, queries, queries)
    mask_embeddings = [torch.cat((one, none), dim=2), torch.cat((none, one), dim=2)]
    targets = [target_of(given[f"t{i}_labels"], given[f"t{i}_masks"]) for i in range(2)]
    points = int(given["num_points"])
    rows = frames * sum(len(target.labels) for target in targets)
    draws = Replayed(int(given["seed"]), clips=2, rows=rows, points=points, layers=2)
    loss = QueryLoss(points=points, draw=draws)
    output = QueryOutput(
        [given["aux_logits"], given["logits"]],
        mask_embeddings,
        masks.transpose(1, 2),
        (given["t0_masks"].shape[2], given["t0_masks"].shape[3]),
    )
    found = {}
    for suffix, terms in zip(("_0", ""), loss.terms(output, targets), strict=True):
        for name, value in terms.items():
            published = {"class": "ce", "mask": "mask", "mask_dice": "dice"}[name]
            found[f"loss_{published}{suffix}"] = value
    draws.again()
    matched = loss.match(output, targets, [target.labels for target in targets])[-1]
    for clip, pair in enumerate(matched):
        found |= {f"match{clip}_pred": pair.queries, f"match{clip}_gt": pair.instances}
    return found


def target_of(labels: Tensor, masks: Tensor) -> ClipTargets:
    """Boxes do not count here."""
    boxes = torch.zeros(*masks.shape[:2], 4)
    return ClipTargets(labels, boxes, masks > 0.5, torch.ones(masks.shape[:2], dtype=torch.bool))


class Replayed:
    """Numbers drawn in the published order (the last layer first), handed out in ours."""

    def __init__(self, seed: int, *, clips: int, rows: int, points: int, layers: int) -> None:
        sure = int(IMPORTANCE * points)
        shapes = [(1, points, 2)] * clips
        rest = [(rows, int(OVERSAMPLING * points), 2), (rows, points - sure, 2)]
        torch.manual_seed(seed)
        drawn = [[torch.rand(shape) for shape in shapes + rest] for _ in range(layers)]
        drawn = drawn[1:] + drawn[:1]
        matching = [x for layer in drawn for x in layer[:clips]]
        self.order = matching + [x for layer in drawn for x in layer[clips:]]
        self.again()

    def again(self) -> None:
        """From the first number."""
        self.left = list(self.order)

    def __call__(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """The next numbers."""
        assert self.left[0].shape == shape
        return self.left.pop(0).to(device)


def fill(part: nn.Module, weights: Tensors, published: str, ours: str) -> None:
    """Load the published weights of a part by the rename table of whole checkpoints, strictly."""
    named = {published + name: value for name, value in weights.items()}
    tensors, _ = rename(named, converters.get("mask2former"))
    part.load_state_dict({name.removeprefix(ours): value for name, value in tensors.items()})


def _split(name: str) -> str:
    """`in_enc.pred_boxes`, of one layer of several -> `in.enc.pred_boxes`."""
    return re.sub(r"^(in|out)_(\w+)\.", r"\1.\2.", name)


def _beginning(values: Tensors, prefix: str) -> Tensors:
    return {name[len(prefix) :]: v for name, v in values.items() if name.startswith(prefix)}


PARTS: dict[str, Callable[[Tensors, Tensors], dict[str, Any]]] = {
    "pixel_decoder": pixel_decoder,
    "decoder_image": decoder_of_pictures,
    "decoder_video": decoder_of_clips,
    "position": positions,
    "resnet_d2_blocks": residual_blocks,
    "swin": swin_trunk,
    "criterion_video": criterion,
    "dat_pp": dat_attention,
    "rfdetr_criterion": rf_detr_criterion,
    "videomt_tiny": tiny_clip,
}


if __name__ == "__main__":
    warnings.simplefilter("error")
    sys.exit(main())
