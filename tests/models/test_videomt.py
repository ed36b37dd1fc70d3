"""VidEoMT: what it carries on, what its loss teaches, and that it learns in two stages."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from vis import models
from vis.errors import UsageError
from vis.losses.frame_query_loss import FrameLayer, FrameQueryLoss, _of_frames
from vis.losses.query_loss import QueryLoss
from vis.models.videomt import VidEoMT
from vis.records import Clip, ClipTargets

TINY: dict[str, Any] = {
    "d_model": 32, "depth": 3, "num_heads": 2, "query_depth": 2,
    "queries": 5, "image": 32, "points": 128,
}  # fmt: skip
Q, T, SIDE = 3, 3, 8


def squares() -> Any:
    """The module of training's squares."""
    path = Path(__file__).parent.parent / "training" / "squares.py"
    spec = importlib.util.spec_from_file_location("squares_of_videomt", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # dataclasses look their module up
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_gradients_end_where_the_state_is_detached() -> None:
    reached = []
    for every in (None, 2):
        torch.manual_seed(0)
        model = models.build("videomt", classes=2, detach_every=every, **TINY).train()
        assert isinstance(model, VidEoMT)
        queries: list[Tensor] = []
        model.query_updater.register_forward_hook(lambda *said, kept=queries: kept.append(said[2]))
        output = model(Clip(torch.rand(1, 4, 3, 32, 32), torch.tensor([[32, 32]])))
        last = output.layers[-1].logits[:, 3].sum()
        grads = torch.autograd.grad(last, queries[:3], allow_unused=True)
        # the stack of all frames hands zeros to those that nothing flows to
        reached.append([grad is not None and bool(grad.any()) for grad in grads])
    # the third frame begins anew: nothing flows from the fourth to the first and second
    assert reached == [[True, True, True], [False, False, True]]


def layer(logits: Tensor, masks: Tensor) -> FrameLayer:
    """One whose query n has the mask logits `[T N h w]`, in every frame."""
    embeddings = torch.eye(masks.shape[1]).expand(1, T, -1, -1)
    return FrameLayer(logits.expand(1, T, -1, -1), embeddings, masks[None])


def truth(visible: list[list[int]], rows: list[int], labels: list[int]) -> ClipTargets:
    """Objects of which each is a row of cells, 4 pixels high, in the frames that show it."""
    shown = torch.tensor(visible, dtype=torch.bool)
    masks = torch.zeros(len(rows), T, 4 * SIDE, 4 * SIDE, dtype=torch.bool)
    for n, row in enumerate(rows):
        masks[n, shown[n], 4 * row : 4 * row + 4] = True
    return ClipTargets(torch.tensor(labels), torch.zeros(len(rows), T, 4), masks, shown)


def rows_of_cells(order: list[list[int]]) -> Tensor:
    """`[T N h w]`: query n has in frame t the row `order[t][n]`."""
    masks = torch.full((T, Q, SIDE, SIDE), -9.0)
    for t, rows in enumerate(order):
        for n, row in enumerate(rows):
            masks[t, n, row] = 9.0
    return masks


def test_an_object_is_matched_where_it_first_appears_among_the_free() -> None:
    # object 0 is seen first, with query 1; when object 1 comes, query 1 would show it best
    targets = [truth([[1, 1, 0], [0, 1, 1]], [2, 5], [0, 1])]
    masks = rows_of_cells([[0, 2, 7], [0, 5, 7], [5, 0, 7]])
    outputs = [layer(torch.zeros(Q, 3), masks)]
    loss = FrameQueryLoss(QueryLoss(points=256))
    matched = loss.match([_of_frames(one, (32, 32)) for one in outputs], targets)
    assert len(matched) == 1 and len(matched[0]) == T
    pairs = dict(zip(matched[0][0].instances.tolist(), matched[0][0].queries.tolist(), strict=True))
    assert pairs[0] == 1 and pairs[1] != 1
    assert all(torch.equal(one.queries, matched[0][0].queries) for one in matched[0])


def test_the_label_is_the_objects_where_the_last_frame_does_not_show_it() -> None:
    targets = [truth([[1, 0, 0]], [2], [1])]
    masks = rows_of_cells([[2, 0, 7]] * 3)
    masks[1:, 0] = -9.0
    right, wrong = torch.full((2, Q, 3), -9.0)
    right[1:, 2] = wrong[1:, 2] = 9.0
    right[0, 1], wrong[0, 0] = 9.0, 9.0
    loss = FrameQueryLoss(QueryLoss(points=256))
    terms = loss([layer(right, masks)], (32, 32), targets)
    assert terms["class"] < 0.01 and terms["mask"] < 0.5
    assert loss([layer(wrong, masks)], (32, 32), targets)["class"] > 5


def test_one_frame_is_the_loss_of_pictures_and_objects_never_seen_are_left_out() -> None:
    torch.manual_seed(0)
    targets = truth([[1, 1, 1], [0, 0, 0]], [2, 5], [0, 1])
    one = FrameLayer(torch.randn(1, T, Q, 3), torch.randn(1, T, Q, 4), torch.randn(1, T, 4, 8, 8))
    loss = FrameQueryLoss(QueryLoss(points=64))
    assert all(value.isfinite() for value in loss([one], (32, 32), [targets]).values())
    with pytest.raises(UsageError, match="target masks"):
        loss([one], (16, 16), [targets])
    empty = replace(
        targets, labels=targets.labels[:0], boxes=targets.boxes[:0], masks=targets.masks[:0],
        visible=targets.visible[:0],
    )  # fmt: skip
    terms = loss([one], (32, 32), [empty])
    assert terms["mask"] == terms["mask_dice"] == 0 and terms["class"] > 0


def fitted(model: Any, batches: list[Any], steps: int) -> list[float]:
    """The loss of each step on one batch after the other."""
    optimiser = torch.optim.AdamW(model.train().parameters(), lr=2e-3)
    losses = []
    for step in range(steps):
        torch.manual_seed(step)
        batch = batches[step % len(batches)]
        total = torch.stack(list(model.losses(model(batch.clip), batch.targets).values())).sum()
        optimiser.zero_grad()
        total.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        losses.append(float(total.detach()))
    return losses


def single(batch: Any) -> Any:
    """The first frames of a batch."""
    targets = [
        ClipTargets(t.labels, t.boxes[:, :1], t.masks[:, :1], t.visible[:, :1])
        for t in batch.targets
    ]
    return replace(batch, clip=Clip(batch.clip.frames[:, :1], batch.clip.sizes), targets=targets)


def test_it_learns_in_two_stages() -> None:
    batches = list(squares().squares(0, 2))
    torch.manual_seed(0)
    frames = models.build("videomt", classes=2, task="instance", **TINY)
    first = fitted(frames, [single(batch) for batch in batches], 24)
    clips = models.build("videomt", classes=2, **TINY)
    missing = clips.load_state_dict(frames.state_dict(), strict=False).missing_keys
    assert set(missing) == {"query_updater.weight", "query_updater.bias"}
    second = fitted(clips, batches, 16)
    assert sum(first[-4:]) < 0.8 * sum(first[:4])
    assert sum(second[-4:]) < 0.85 * sum(second[:4])
