"""Six pictures of one object each, and how well a model of pictures knows them."""

import torch
from torch.nn.functional import interpolate

from vis.models import Model
from vis.records import Clip, ClipTargets

HEIGHT, WIDTH = 96, 128
COLOURS = torch.tensor([[0.9, 0.3, 0.2], [0.2, 0.8, 0.3], [0.3, 0.3, 0.9]])


def six_pictures() -> tuple[Clip, list[ClipTargets]]:
    """A rectangle, an ellipse or a rhombus each, of its class's colour, on a noisy ground."""
    draw = torch.Generator().manual_seed(0)
    noise = torch.rand(6, 3, HEIGHT // 8, WIDTH // 8, generator=draw)
    frames = 0.4 * interpolate(noise, (HEIGHT, WIDTH))[:, None]
    y, x = torch.meshgrid(torch.arange(HEIGHT), torch.arange(WIDTH), indexing="ij")
    targets = []
    for number in range(6):
        high, wide, low, left = torch.rand(4, generator=draw).tolist()
        high, wide = round(40 + 30 * high), round(40 + 40 * wide)
        low, left = round(low * (HEIGHT - high)), round(left * (WIDTH - wide))
        v, u = 2 * (y - low + 0.5) / high - 1, 2 * (x - left + 0.5) / wide - 1
        shapes = (torch.maximum(u.abs(), v.abs()), u**2 + v**2, u.abs() + v.abs())
        mask = shapes[number % 3] < 1
        frames[number, 0, :, mask] = COLOURS[number % 3][:, None]
        targets.append(target(number % 3, mask))
    return Clip(frames, torch.tensor([[HEIGHT, WIDTH]] * 6)), targets


def target(label: int, mask: torch.Tensor) -> ClipTargets:
    """One object, `[H W]`."""
    rows, columns = (mask.any(dim=axis).nonzero()[:, 0] for axis in (1, 0))
    box = torch.tensor([
        columns[0] / mask.shape[1], rows[0] / mask.shape[0],
        (columns[-1] + 1) / mask.shape[1], (rows[-1] + 1) / mask.shape[0],
    ])  # fmt: skip
    return ClipTargets(
        torch.tensor([label]), box[None, None], mask[None, None], torch.ones(1, 1, dtype=torch.bool)
    )


@torch.inference_mode()
def overlaps(model: Model, clip: Clip, targets: list[ClipTargets]) -> list[float]:
    """Of each picture's surest object with the true one, 0 where its name is wrong."""
    found = []
    for said, true in zip(model.predictions(model(clip), clip), targets, strict=True):
        mask = interpolate(said.masks[:1], (HEIGHT, WIDTH), mode="bilinear")[0, 0] > 0.5
        truth = true.masks[0, 0]
        right = said.labels[:1].tolist() == true.labels.tolist() and said.scores[0] > 0.5
        found.append(float((mask & truth).sum() / (mask | truth).sum()) * right)
    return found
