"""The masked decoder: where it may look, and the shortcut to its masks."""

import torch
from torch.nn.functional import interpolate

from vis.layers.masked_decoder import MaskedDecoder, allowed_cells, downsample_features
from vis.layers.pixel_decoder import PixelDecoder
from vis.layers.positions import AddedSinePositions3D, SinePositions2D


def test_masks_of_the_shrunk_feature_are_the_shrunk_masks() -> None:
    torch.manual_seed(0)
    mask_features, mask_embeddings = torch.randn(2, 3, 8, 12, 20), torch.randn(2, 5, 8)
    masks = torch.einsum("bqd,btdhw->bqthw", mask_embeddings, mask_features)
    slow = interpolate(masks.flatten(0, 2)[:, None], (5, 7), mode="bilinear")
    fast = mask_embeddings @ downsample_features(mask_features, (5, 7))
    torch.testing.assert_close(fast.flatten(), slow.flatten(), atol=1e-5, rtol=0)


def test_a_query_without_a_cell_may_look_everywhere() -> None:
    mask_embeddings = torch.tensor([[[1.0], [-1.0], [0.0]]])
    mask_features = torch.tensor([[[2.0, 1.0, -1.0]]])
    assert allowed_cells(mask_embeddings, mask_features).tolist() == [
        [[True, True, False], [False, False, True], [True, True, True]]
    ]
    assert allowed_cells(-mask_embeddings[:, :1], mask_features.abs()).tolist() == [
        [[True, True, True]]
    ]


def test_the_rule_looks_at_all_frames_together() -> None:
    """A query that is in one frame alone must not look at the others."""
    mask_features = torch.tensor([[[[[1.0]]], [[[-1.0]]]]])
    flat = downsample_features(mask_features, (1, 1))
    assert allowed_cells(torch.ones(1, 1, 1), flat).tolist() == [[[True, False]]]


def decoder(**settings: object) -> MaskedDecoder:
    torch.manual_seed(0)
    given = {"out": 6, "queries": 3, "depth": 4, "num_heads": 2, "ffn_dim": 16}
    return MaskedDecoder(8, **(given | {"positions": SinePositions2D(8)} | settings))


def test_an_unmasked_cell_alone_is_seen() -> None:
    """What lies outside of every mask changes nothing."""
    part = decoder(depth=1)
    levels = [torch.randn(1, 8, 2, 2), torch.randn(1, 8, 4, 4), torch.randn(1, 8, 8, 8)]
    mask_features = torch.randn(1, 1, 6, 16, 16)
    allowed = allowed_cells(
        part.mask_head(part.norm(part.content.weight))[None],
        downsample_features(mask_features, (2, 2)),
    )[0]
    hidden = (~allowed).all(dim=0)
    states, _ = part(levels, mask_features)
    for cell in range(4):
        changed = levels[0].clone()
        changed.view(1, 8, 4)[..., cell] += 3.0
        other, _ = part([changed, *levels[1:]], mask_features)
        assert torch.equal(other[-1], states[-1]) == bool(hidden[cell])


def test_one_prediction_more_than_layers() -> None:
    states, mask_embeddings = decoder(positions=AddedSinePositions3D(8))(
        [torch.randn(4, 8, s, s) for s in (1, 2, 4)], torch.randn(2, 2, 6, 8, 8)
    )
    assert len(states) == len(mask_embeddings) == 5
    assert states[0].shape == (2, 3, 8) and mask_embeddings[0].shape == (2, 3, 6)
    torch.testing.assert_close(states[0][0], states[0][1])  # learned, before anything was seen


def test_each_frame_of_the_pixel_decoder_is_for_itself() -> None:
    torch.manual_seed(0)
    part = PixelDecoder((4, 6, 8, 10), 16, out=5, depth=2, num_heads=2, ffn_dim=24)
    for layer in part.layers:
        torch.nn.init.normal_(layer.attention.sampling_offsets.weight)
    sides = ((12, 9), (6, 5), (3, 3), (2, 2))
    maps = [torch.randn(3, c, *s) for c, s in zip((4, 6, 8, 10), sides, strict=True)]
    mask_features, levels = part(maps)
    assert mask_features.shape == (3, 5, 12, 9)
    assert [tuple(x.shape) for x in levels] == [(3, 16, *s) for s in reversed(sides[1:])]
    alone, few = part([x[1:2] for x in maps])
    torch.testing.assert_close(alone, mask_features[1:2], atol=1e-5, rtol=0)
    torch.testing.assert_close(few[2], levels[2][1:2], atol=1e-5, rtol=0)
