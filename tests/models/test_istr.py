"""ISTR: only chosen masks are looked at, queries go on through a clip, nothing breaks it."""

from types import SimpleNamespace

import pytest
import torch

from vis.errors import UsageError
from vis.layers.code_heads import CodeInputs, Codes, ConvCodes, LinearCodes
from vis.models._code_selection import centred, decoded, pasted
from vis.models._query_selection import best_pairs
from vis.ops.crops import put_back
from vis.records import Clip, ClipTargets


class Watched(torch.nn.Module):
    """A head of codes that counts the queries it is asked for."""

    def __init__(self, head: LinearCodes | ConvCodes) -> None:
        super().__init__()
        self.head, self.asked = head, 0

    def forward(self, seen: CodeInputs) -> Codes:
        self.asked += len(seen.queries)
        return self.head(seen)


@pytest.mark.parametrize("case", ["istr", "istr of the first release"])
def test_the_best_chosen_first_are_those_of_all_decoded(small: SimpleNamespace, case: str) -> None:
    model = small.make(case, queries=9, keep=5)
    clip = small.clip(model)
    head = Watched(model.code_heads[-1])
    with torch.inference_mode():
        output = model(clip)
        found = model.selection(output, head, model.codec)[1]
        assert head.asked <= 2 * 5
        logits = torch.stack(output.logits[-model.selection.averaged :]).mean(dim=0)[1, 0]
        chosen = best_pairs(logits.sigmoid(), 5)
        every = decoded(output, 1, torch.arange(9), head=head, codec=model.codec)
        places = output.boxes[-1][1].transpose(0, 1).clamp(0, 1)
        masks = centred(pasted(every, places, (13, 18)), model.selection.inside)[chosen.queries]
    shown = (masks > 0.5).flatten(1).any(dim=1)
    assert torch.equal(found.scores, chosen.scores[shown])
    torch.testing.assert_close(found.masks, masks[shown], atol=1e-5, rtol=0)


def test_the_border_between_in_and_out_becomes_a_half() -> None:
    chances = torch.tensor([-0.5, 0.0, 0.2, 0.44, 0.45, 0.46, 1.0, 1.3])
    found = centred(chances, 0.45)
    assert torch.equal(found >= 0.5, chances >= 0.45)
    assert found.min() == 0 and found.max() == 1
    assert (found.diff() >= 0).all()
    torch.testing.assert_close(
        centred(torch.tensor([0.3, 0.5, 0.7]), 0.5), torch.tensor([0.3, 0.5, 0.7])
    )


def test_boxes_without_height_or_width_hold_nothing() -> None:
    places = torch.tensor([[[0.1, 0.1, 0.1, 0.5]], [[0.5, 0.5, 1.0, 1.0]], [[0.8, 0.2, 0.3, 0.9]]])
    found = pasted(torch.ones(3, 1, 4, 4), places, (6, 6))
    assert [one.any().item() for one in found] == [False, True, False]
    assert torch.equal(found[1], put_back(torch.ones(1, 4, 4), places[1], (6, 6)))


def test_sure_queries_go_on_from_where_they_were(small: SimpleNamespace) -> None:
    model = small.make("istr through a clip", query_propagation=0.0)
    again = small.make("istr through a clip", query_propagation=1.0)
    clip = small.clip(model)
    still = Clip(clip.frames[:, :1].expand(-1, 2, -1, -1, -1), clip.sizes)
    with torch.inference_mode():
        carried, anew = model(still), again(still)
    assert torch.allclose(anew.boxes[-1][:, 0], anew.boxes[-1][:, 1], atol=1e-5)
    assert torch.allclose(carried.boxes[-1][:, 0], anew.boxes[-1][:, 0], atol=1e-5)
    assert not torch.allclose(carried.boxes[-1][:, 0], carried.boxes[-1][:, 1], atol=1e-3)


@pytest.mark.parametrize("case", ["istr", "istr of the first release"])
def test_pictures_without_objects_leave_a_gradient_everywhere(
    small: SimpleNamespace, case: str
) -> None:
    """Otherwise several processes would wait for each other for ever."""
    model = small.make(case).train()
    clip = small.clip(model)
    empty: list[ClipTargets] = [small.targets(clip)[1]] * 2
    losses = model.losses(model(clip), empty)
    assert losses["code"] == losses["box_l1"] == losses["mask_dice"] == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)


def test_the_first_release_leaves_the_first_stage_of_the_backbone_alone(
    small: SimpleNamespace,
) -> None:
    for case, trains in (("istr", True), ("istr of the first release", False)):
        model = small.make(case)
        assert model.backbone.conv1.weight.requires_grad is trains
        assert model.backbone.layer1[0].conv1.weight.requires_grad is trains
        assert not any(p.requires_grad for n, p in model.named_parameters() if "encoder" in n)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"generation": "v3"}, "One of: v1, v2"),
        ({"codec": "jpeg"}, "One of: pca, dct, ae"),
        ({"generation": "v1"}, "needs generation 'v2'"),
        ({"mask_side": 28}, "no multiple of 16"),
        ({"codec": "dct", "code": 2000}, "longer than a mask"),
        ({"num_heads": 3}, "no multiple of the 3 heads"),
        ({"stages": 0}, "at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    small: SimpleNamespace, settings: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        small.make("istr", **settings)
