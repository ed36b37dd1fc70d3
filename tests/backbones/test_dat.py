"""DAT++: four levels, as many numbers as published, and every published name has its place."""

import torch

from vis.backbones.dat import DAT, DATS, Size, our_key


def test_four_levels_of_any_frames():
    net = DAT(Size(16, 2, 1, (2, 2, 2, 1), 0.1)).eval()
    with torch.inference_mode():
        levels = net(torch.rand(2, 3, 64, 96))
    sizes = [(16, 24), (8, 12), (4, 6), (2, 3)]
    assert [tuple(x.shape) for x in levels] == [
        (2, c, *size) for c, size in zip(net.channels, sizes, strict=True)
    ]


def test_the_published_classifier_has_as_many_numbers():
    with torch.device("meta"):
        net = DAT(DATS["dat_tiny"])
    ours = sum(p.numel() for name, p in net.named_parameters() if name[:7] not in _FRESH)
    assert round((ours + 513 * 1000) / 1e6) == 24


_FRESH = ("norms.0", "norms.1", "norms.2")


def test_published_names_are_ours():
    net = DAT(Size(16, 2, 1, (2, 2, 2, 1), 0.1))
    published = [*(f"patch_proj.{i}" for i in (0, 3)), "patch_proj.1.norm", "patch_proj.4.norm"]
    published += [f"down_projs.{i}.1.norm" for i in range(3)] + ["cls_norm.norm"]
    names = [f"{name}.{kind}" for name in published for kind in ("weight", "bias")]
    names += [f"down_projs.{i}.0.weight" for i in range(3)]
    for stage, depth in enumerate((2, 2, 2, 1)):
        for block in range(depth):
            names += list(_of_block(f"stages.{stage}.", block, near=stage < 3 and block == 0))
    found = {our_key(name) for name in names}
    assert found == {name for name in net.state_dict() if name[:7] not in _FRESH}
    assert our_key("cls_head.weight") is None


def _of_block(stage: str, block: int, *, near: bool) -> list[str]:
    attention = f"{stage}attns.{block}."
    parts = [f"{stage}local_perception_units.{block}"]
    parts += [f"{stage}layer_norms.{2 * block + i}.norm" for i in (0, 1)]
    parts += [f"{stage}mlps.{block}.{name}" for name in ("linear1.0", "linear2.0", "dwc")]
    if near:
        parts += [attention + name for name in ("qkv", "proj")]
        alone = [attention + "rpb"]
    else:
        parts += [attention + f"proj_{letter}" for letter in ("q", "k", "v", "out")]
        parts += [attention + name for name in ("conv_offset.0", "conv_offset.1.norm")]
        alone = [attention + "rpe_table", attention + "conv_offset.3.weight"]
    return [f"{part}.{kind}" for part in parts for kind in ("weight", "bias")] + alone
