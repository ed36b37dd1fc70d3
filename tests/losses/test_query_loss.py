"""The loss of queries: who is matched, what is taught, and what happens at the edges."""

from dataclasses import replace

import pytest
import torch

from vis.errors import UsageError
from vis.losses.query_loss import QueryLoss, QueryOutput
from vis.records import ClipTargets

Q, K, T, SIDE = 5, 3, 2, 8


def output(*, layers: int = 2, batch: int = 2) -> QueryOutput:
    torch.manual_seed(0)
    return QueryOutput(
        [torch.randn(batch, Q, K + 1, requires_grad=True) for _ in range(layers)],
        [torch.randn(batch, Q, 4, requires_grad=True) for _ in range(layers)],
        torch.randn(batch, T, 4, SIDE, SIDE, requires_grad=True),
        (4 * SIDE, 4 * SIDE),
    )


def target(labels: list[int], *, side: int = 4 * SIDE) -> ClipTargets:
    N = len(labels)
    masks = torch.zeros(N, T, side, side, dtype=torch.bool)
    for n in range(N):
        masks[n, :, 6 * n : 6 * n + 5, :20] = True
    return ClipTargets(
        torch.tensor(labels, dtype=torch.int64),
        torch.zeros(N, T, 4),
        masks,
        torch.ones(N, T, dtype=torch.bool),
    )


def total(loss: QueryLoss, said: QueryOutput, targets: list[ClipTargets]) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.stack(list(loss(said, targets).values())).sum()


def test_a_right_answer_costs_next_to_nothing() -> None:
    said, truth = output(layers=1, batch=1), target([2, 0])
    mask_features = torch.full((1, T, 4, SIDE, SIDE), -20.0)
    mask_features[:, :, 0, :2] = 20.0
    mask_features[:, :, 1, 4:6] = 20.0
    masks = torch.zeros(2, T, 4 * SIDE, 4 * SIDE, dtype=torch.bool)
    masks[0, :, 16:24], masks[1, :, :8] = True, True
    logits = torch.full((1, Q, K + 1), -20.0)
    logits[0, :, K] = 20.0
    logits[0, 3] = torch.tensor([20.0, -20.0, -20.0, -20.0])
    logits[0, 1] = torch.tensor([-20.0, -20.0, 20.0, -20.0])
    mask_embeddings = torch.zeros(1, Q, 4)
    mask_embeddings[0, 3, 0] = mask_embeddings[0, 1, 1] = 1.0
    said = QueryOutput([logits], [mask_embeddings], mask_features, said.padded_size)
    truth = replace(truth, masks=masks)
    loss = QueryLoss(points=400)
    (match,) = loss.match(said, [truth], [truth.labels])[0]
    assert match.queries.tolist() == [1, 3] and match.instances.tolist() == [0, 1]
    terms = loss(said, [truth])
    assert terms["class"] < 1e-6
    # half of a cell on either side of an edge is unsure, and most points are there
    assert terms["mask"] < 20 and terms["mask_dice"] < 6
    wrong = replace(truth, labels=torch.tensor([1, 1]))
    assert loss(said, [wrong])["class"] > 1


def test_it_is_the_sum_of_its_layers() -> None:
    said, targets = output(), [target([0, 2]), target([1])]
    loss = QueryLoss(points=32)
    torch.manual_seed(1)
    layers = loss.terms(said, targets)
    torch.manual_seed(1)
    whole = loss(said, targets)
    assert len(layers) == 2 and set(whole) == {"class", "mask", "mask_dice"}
    torch.testing.assert_close(whole["class"], 2 * (layers[0]["class"] + layers[1]["class"]))
    torch.testing.assert_close(whole["mask"], 5 * (layers[0]["mask"] + layers[1]["mask"]))


def test_without_instances_everything_stays_in_the_graph() -> None:
    said = output()
    total(QueryLoss(points=32), said, [target([]), target([])]).backward()
    for leaf in (*said.logits, *said.mask_embeddings, said.mask_features):
        assert leaf.grad is not None and leaf.grad.isfinite().all()
    assert not said.mask_features.grad.any() and said.logits[0].grad.any()


def test_more_instances_than_queries() -> None:
    labels = [0] * (Q + 2)
    truth = target(labels, side=4 * SIDE)
    (match,) = QueryLoss(points=32).match(output(batch=1), [truth], [truth.labels])[1]
    assert match.queries.tolist() == list(range(Q)) and len(set(match.instances.tolist())) == Q


def test_an_object_that_left_keeps_its_label_unless_published() -> None:
    said, truth = output(layers=1, batch=1), target([0])
    truth.visible[0, -1] = False
    truth.masks[0, -1] = False
    loss = QueryLoss(points=32)
    there = loss(said, [replace(truth, visible=torch.ones(1, T, dtype=torch.bool))])
    assert torch.equal(loss(said, [truth])["class"], there["class"])
    published = QueryLoss(points=32, published_labels=True)
    nothing = loss(said, [target([])])["class"]
    assert torch.equal(published(said, [truth])["class"], nothing)


def test_masks_lie_at_the_top_left_of_the_canvas() -> None:
    said, small = output(), target([0, 1], side=24)
    large = target([0, 1])
    large.masks[:] = False
    large.masks[..., :24, :24] = small.masks
    loss = QueryLoss(points=64)
    first, second = (total(loss, said, [t, target([])]) for t in (small, large))
    torch.testing.assert_close(first, second)
    with pytest.raises(UsageError, match="padded size"):
        loss(said, [target([0], side=4 * SIDE + 1), target([])])


def test_numbers_that_are_none_do_not_stop_the_matching() -> None:
    said = output()
    broken = replace(
        said, mask_embeddings=[said.mask_embeddings[0] * torch.nan, said.mask_embeddings[1]]
    )
    terms = QueryLoss(points=32)(broken, [target([0, 2]), target([1])])
    assert terms["mask"].isnan() and terms["class"].isfinite()


def test_one_copy_to_the_host_for_all_layers_and_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = []
    original = torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: copies.append(0) or original(self))
    QueryLoss(points=16)(output(layers=4), [target([0, 2]), target([1])])
    assert len(copies) == 1
