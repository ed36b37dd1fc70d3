"""Compare VisTR, its parts, its matching and Twins with the golden numbers of a text file.

`parity.py` calls this for a `.txt`. Weights follow the file's own recipe, from the published names
in `../keys` beside it; everything runs in float64, where the numbers were taken.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from parity import Arrays, Row, converted, vistr_clip
from torch import Tensor

from vis import backbones
from vis.backbones.twins import our_key
from vis.layers.positions import SinePositions3D
from vis.losses.masks import padded_area
from vis.losses.matching import VISTR_COST, Matcher, own_visibility, published_visibility
from vis.losses.outputs import LayerOutput, SequenceOutput
from vis.losses.set_loss import SetLoss
from vis.losses.targets import join
from vis.ops.boxes import to_corners
from vis.records import ClipTargets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

TOLERANCE = 1e-5
"""Absolute, in float64; the published positions are of float32, which moves results by 5e-7."""
SLOTS, WIDTH = 10, 384


def rows_of(path: Path) -> Iterator[Row]:
    """All rows of the file, section by section."""
    sections = _sections(path.read_text())
    keys = path.parent.parent / "keys"
    with torch.no_grad():
        yield from whole_model("G1", sections, keys / "vistr_r50_keys.tsv", (4, 3, 64, 96))
        yield from whole_model("G2", sections, keys / "vistr_r101_keys.tsv", (2, 3, 64, 96))
        yield from whole_model("G3", sections, keys / "vistr_r50_keys.tsv", (36, 3, 48, 80))
        yield from parts("G4", sections, keys / "vistr_r50_keys.tsv")
        yield from positions(sections["G5"])
        for seed in (12, 13, 14, 15):
            yield from matching(seed, sections[f"G6 {seed}"])
        yield from twins(sections["G7"], keys / "twins_svt_small_keys.tsv")


def whole_model(
    name: str, sections: Mapping[str, str], keys: Path, shape: tuple[int, ...]
) -> Iterator[Row]:
    """Every level, the transformer's two ends and all outputs of a clip."""
    T = shape[0]
    case = {"settings": {"num_frames": T, "num_instances": SLOTS, "nheads": 8}}
    clip, settings = vistr_clip(case, {"frames": _normal(0, shape).numpy()})
    model = converted(_vistr_weights(keys, T), "vistr", settings).double()
    seen: dict[str, list[Any]] = {}
    ends = ("transformer.encoder.5", "transformer.norm")
    for part in ("backbone", "projection", "positions", *ends):
        kept = seen.setdefault(part, [])
        model.get_submodule(part).register_forward_hook(lambda _, __, out, k=kept: k.append(out))
    output = model(clip)
    (memory,), states = (seen[part] for part in ends)
    levels = [torch.cat(maps) for maps in zip(*seen["backbone"], strict=True)]
    dense = output.dense()
    found = {
        **{f"feat{i}": level for i, level in enumerate(levels)},
        "pos3": seen["positions"][0].movedim(-1, 2),
        "input_proj": torch.cat(seen["projection"]),
        "hs": torch.stack(states),
        "memory": memory.unflatten(1, (T, -1)).permute(0, 3, 1, 2),
        "pred_logits": dense.layers[-1].logits.flatten(1, 2),
        "pred_boxes": dense.layers[-1].boxes.flatten(1, 2),
        "pred_masks": dense.masks.flatten(1, 2),
        "insmask[inst0]": dense.masks[:, :, 0],
        "aux0_logits": dense.layers[0].logits.flatten(1, 2),
    }
    for part, value in found.items():
        yield f"{name} {part}", _against(sections[name], f"{part}:", value), TOLERANCE


def parts(name: str, sections: Mapping[str, str], keys: Path) -> Iterator[Row]:
    """Attention map, pyramid, head over time, heads and transformer, each on its own input."""
    text = sections[name]
    case = {"settings": {"num_frames": 2, "num_instances": SLOTS, "nheads": 8}}
    _, settings = vistr_clip(case, {"frames": np.zeros((2, 3, 4, 4))})
    model = converted(_vistr_weights(keys, 2), "vistr", settings).double()
    branch = model.masks
    queries, memory = _normal(1, (SLOTS, WIDTH)), _normal(2, (1, WIDTH, 4, 6))
    padding = torch.zeros(1, 4, 6, dtype=torch.bool)
    padding[..., -1] = True
    frames = torch.zeros(SLOTS, dtype=torch.int64)
    maps = branch.attention(
        queries, branch.attention.keys(memory)[frames], padding.flatten(1)[frames]
    ).unflatten(2, (4, 6))
    yield f"{name} attention map", _against(text, "MHAttentionMap", maps[None]), TOLERANCE
    sums = maps.flatten(1).sum(dim=1)
    yield f"{name} sum over heads and cells", _largest(sums - 1), TOLERANCE
    levels = [
        _normal(seed, (1, channels, *size))
        for seed, channels, size in ((5, 256, (16, 24)), (4, 512, (8, 12)), (3, 1024, (4, 6)))
    ]
    term, laterals = branch.pyramid.frame_term(memory), branch.pyramid.lateral_maps(levels)
    refined = branch.pyramid(maps, frames, term, laterals)
    yield f"{name} mask head", _against(text, "mask_head(", refined), TOLERANCE
    volume = branch.volume(_normal(6, (1, 24, 5, 7, 9)))
    yield f"{name} head over time", _against(text, "insmask R6", volume), TOLERANCE
    states = _normal(7, (2, SLOTS, WIDTH))
    yield f"{name} class head", _against(text, "class R7", model.class_head(states)), TOLERANCE
    boxes = model.box_head(states).sigmoid()
    yield f"{name} box head", _against(text, "bbox:", boxes), TOLERANCE
    tokens, codes = (_normal(seed, (1, WIDTH, 12)).transpose(1, 2) for seed in (8, 9))
    allowed = torch.ones(1, 1, 1, 12, dtype=torch.bool)
    allowed[..., 10:] = False  # the second frame's last two cells
    yield from _transformer(name, text, model.transformer(tokens, codes, model.queries, allowed))


def positions(text: str) -> Iterator[Row]:
    """The 3-D sine code of a whole clip, and a small one with padding."""
    codes = SinePositions3D(WIDTH)(torch.zeros(1, 36, 10, 17, dtype=torch.bool))
    stated = re.search(r"36, 384, 10, 17\]\) (\S+) (\S+)", text)
    assert stated is not None
    mean = torch.stack((codes.double().mean(), codes.double().std(correction=0)))
    yield "G5 mean and deviation", _largest(mean - _tensor(stated.groups())), TOLERANCE
    points = re.findall(r"^\((\d+), (\d+), (\d+), (\d+)\) (\S+)$", text, re.M)
    found = torch.stack([codes[0][tuple(int(i) for i in point[:4])] for point in points])
    yield f"G5 {len(points)} points", _largest(found - _tensor(p[4] for p in points)), TOLERANCE
    padding = torch.zeros(1, 2, 3, 4, dtype=torch.bool)
    padding[..., 2, :] = padding[..., 3] = True
    small = SinePositions3D(18)(padding)
    for t, y, x, values in re.findall(r"t(\d) y(\d) x(\d)[^\n]*tensor\(\[([^]]*)\]", text):
        difference = small[0, int(t), int(y), int(x)] - _tensor(values.split(","))
        yield f"G5 padded, cell {t} {y} {x}", _largest(difference), TOLERANCE


def matching(seed: int, text: str) -> Iterator[Row]:
    """Indices, costs and losses of a drawn clip: right, and with the published fault."""
    draw = np.random.RandomState(seed)
    layer = LayerOutput(
        _tensor(draw.standard_normal((1, 30, 42))).unflatten(1, (3, SLOTS)),
        _tensor(draw.uniform(0.2, 0.6, (1, 30, 4))).unflatten(1, (3, SLOTS)),
    )
    masks = _tensor(draw.standard_normal((1, 30, 8, 12))).unflatten(1, (3, SLOTS))
    boxes = to_corners(_tensor(draw.uniform(0.2, 0.6, (3, 3, 4))))
    shown = torch.from_numpy(draw.uniform(0, 1, (3, 3, 16, 24)) > 0.6)
    visible = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 1, 1]], dtype=torch.bool)
    labels = torch.tensor([5, 17, 40])
    target = ClipTargets(labels, boxes, shown & visible[:, :, None, None], visible)
    output = SequenceOutput([layer], masks)
    truth = join([target], layer)
    cost = VISTR_COST([layer], truth)[0]
    rows = _tensor(re.findall(r"[-.\d]+", _line(text, "cost rows"))).flatten()
    yield f"G6 {seed} mean cost", abs(float(cost.mean() - rows[-1])), TOLERANCE
    slots = [int(slot) for slot in re.findall(r"\d+", _line(text, "out_i").split("tgt_i")[0])]
    yield f"G6 {seed} costs", _largest(cost[slots].flatten() - rows[:-1]), TOLERANCE
    kinds = (("fixed", "FIXED", own_visibility), ("upstream", "UPSTREAM", published_visibility))
    for kind, losses, visibility in kinds:
        matcher = Matcher(VISTR_COST, visibility)
        (pairs,) = matcher([layer], truth)
        ours = torch.stack(
            (pairs.frames * SLOTS + pairs.queries, pairs.instances * 3 + pairs.frames)
        )
        stated = re.findall(r"tensor\(\[([^]]*)\]", _line(text, f"{kind} indices"))
        theirs = torch.stack([_tensor(part.split(",")) for part in stated])
        yield f"G6 {seed} {kind} indices", _largest(ours - theirs), 0.0
        loss = SetLoss(matcher, eps=VISTR_COST.eps, area=padded_area)
        (terms,) = loss.terms(output, [target])
        values = re.findall(r"'loss_\w+': ([.\d]+)", _line(text, losses))
        difference = torch.stack(list(terms.values())) - _tensor(values)
        yield f"G6 {seed} {kind} losses", _largest(difference), TOLERANCE


def twins(text: str, keys: Path) -> Iterator[Row]:
    """Our Twins with timm's weights: every stage before its norm, and the last after it."""
    model = backbones.build("twins_svt_small")
    state = model.state_dict()
    weights = _weights(keys, factor=1.0)
    state |= {our_key(key): torch.from_numpy(value) for key, value in weights.items()}
    model.load_state_dict(state)
    model.double().eval()
    stages: list[Tensor] = []
    for norm in model.norms:
        norm.register_forward_hook(lambda _, inputs, __: stages.append(inputs[0]))
    for size in re.findall(r"^(\d+) (\d+)\n((?:stage|final).*\n?)+", text, re.M):
        height, width = int(size[0]), int(size[1])
        block = text[text.index(f"\n{height} {width}\n") + 1 :]
        stages.clear()
        last = model(_normal(0, (1, 3, height, width)))[-1]
        for number, stage in enumerate(stages, 1):
            difference = _against(block, f"stage{number}:", stage.permute(0, 3, 1, 2))
            yield f"G7 {height}x{width} stage {number}", difference, TOLERANCE
        difference = _against(block, "final norm:", last.flatten(2).transpose(1, 2))
        yield f"G7 {height}x{width} last norm", difference, TOLERANCE


def _transformer(name: str, text: str, found: tuple[list[Tensor], Tensor]) -> Iterator[Row]:
    states, memory = torch.stack(found[0]), found[1].transpose(1, 2)
    yield f"{name} decoder", _against(text, "tr hs", states), TOLERANCE
    yield f"{name} encoder", _against(text, "tr mem", memory), TOLERANCE


def _vistr_weights(keys: Path, T: int) -> Arrays:
    return _weights(keys, factor=3.0, shapes={"vistr.query_embed.weight": (SLOTS * T, WIDTH)})


def _weights(
    keys: Path, *, factor: float, shapes: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, np.ndarray]:
    """A checkpoint by the recipe; `factor` sharpens what makes attention."""
    weights = {}
    for line in keys.read_text().splitlines():
        key, text = line.split("\t")
        shape = (shapes or {}).get(key, tuple(int(size) for size in re.findall(r"\d+", text)))
        n = np.random.RandomState(zlib.crc32(key.encode())).standard_normal(shape)
        sharp = (
            key.endswith("in_proj_weight") or "q_linear.weight" in key or "k_linear.weight" in key
        )
        if "query_embed" in key:
            value = n
        elif len(shape) > 1:
            value = n / np.sqrt(np.prod(shape[1:])) * (factor if sharp else 1.0)
        elif key.endswith("running_var"):
            value = 1 + 0.1 * np.abs(n)
        elif key.endswith(("running_mean", "bias")):
            value = 0.1 * n
        else:
            value = 1 + 0.1 * n
        weights[key] = value.astype(np.float32)
    return weights


def _normal(seed: int, shape: tuple[int, ...]) -> Tensor:
    return _tensor(np.random.RandomState(seed).standard_normal(shape))


def _tensor(values: Any) -> Tensor:
    listed = values if isinstance(values, np.ndarray) else [float(value) for value in values]
    return torch.as_tensor(listed, dtype=torch.float64)


def _against(text: str, start: str, value: Tensor) -> float:
    """The largest difference of a tensor's statistics from those of a line of the file."""
    numbers = re.search(
        r"mean=(\S+) std=(\S+) absmax=(\S+) first=\[(.*?)\] last=(\S+)", _line(text, start)
    )
    assert numbers is not None, start
    mean, deviation, largest, first, last = numbers.groups()
    flat = value.double().flatten()
    stats = torch.stack((flat.mean(), flat.std(correction=0), flat.abs().max()))
    ours = torch.cat((stats, flat[:4], flat[-1:]))
    return _largest(ours - _tensor([mean, deviation, largest, *first.split(","), last]))


def _line(text: str, start: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(start))


def _largest(values: Tensor) -> float:
    return float(values.abs().max())


def _sections(text: str) -> dict[str, str]:
    """`G1` ... `G7` and `G6 12` ... `G6 15` -> their lines."""
    found = {}
    for part in re.split(r"^## ", text, flags=re.M)[1:]:
        title = part.splitlines()[0]
        seed = re.search(r"seed (\d+)$", title)
        found[title.split()[0] + (f" {seed[1]}" if seed else "")] = part
    return found
