"""Every kind of backbone: four levels, and the weights of others under our names."""

import pytest
import timm
import torch
import torchvision

from vis import backbones
from vis.backbones import resnet
from vis.errors import DeviceError, UsageError
from vis.layers.frozen import FrozenNorm

SMALL = ["resnet18", "resnet50", "twins_svt_small", "swin_tiny_patch4_window7_224", "convnext_atto"]


@pytest.mark.parametrize("name", SMALL)
def test_four_levels_of_the_stated_channels_at_strides_4_to_32(name: str):
    net = backbones.build(name)
    with torch.no_grad():
        levels = net(torch.randn(2, 3, 64, 96))
    shapes = [tuple(level.shape) for level in levels]
    strides = (4, 8, 16, 32)
    assert shapes == [(2, c, 64 // s, 96 // s) for c, s in zip(net.channels, strides, strict=True)]


@pytest.mark.parametrize(
    "name", ["resnet101", "resnext101_32x8d", "twins_svt_base", "swin_small_patch4_window7_224"]
)
def test_the_larger_ones_are_there(name: str):
    with torch.device("meta"):
        net = backbones.build(name)
        levels = net(torch.empty(1, 3, 64, 64))
    assert [level.shape[1] for level in levels] == list(net.channels)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext50_32x4d"])
def test_a_resnet_is_torchvisions_in_use(name: str):
    usual = torchvision.models.get_model(name, weights=None).eval().double()
    for key, value in usual.state_dict().items():
        if key.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif key.endswith("running_mean"):
            value.normal_()
    ours = backbones.build(name).double()
    renamed = {resnet.our_key(key): value for key, value in usual.state_dict().items()}
    renamed.pop(None)
    ours.load_state_dict(renamed)
    x = torch.randn(1, 3, 61, 83, dtype=torch.float64)
    with torch.no_grad():
        found = ours.train()(x)
        y = usual.maxpool(usual.relu(usual.bn1(usual.conv1(x))))
        for level, stage in zip(found, ("layer1", "layer2", "layer3", "layer4"), strict=True):
            y = getattr(usual, stage)(y)
            torch.testing.assert_close(level, y, atol=1e-9, rtol=1e-9)


def test_stem_and_first_stage_do_not_train_and_no_norm_does():
    net = backbones.build("resnet18")
    trained = {name.split(".")[0] for name, p in net.named_parameters() if p.requires_grad}
    assert trained == {"layer2", "layer3", "layer4"}
    norms = [module for module in net.modules() if isinstance(module, FrozenNorm)]
    assert len(norms) == 20
    assert not [p for norm in norms for p in norm.parameters()]


def test_a_dilated_last_stage_keeps_its_stride_and_its_names():
    usual, dilated = backbones.build("resnet50"), backbones.build("resnet50_dc5")
    dilated.load_state_dict(usual.state_dict())
    with torch.no_grad():
        levels = dilated(torch.randn(1, 3, 64, 96))
    assert levels[-1].shape == (1, 2048, 4, 6)


def test_batch_norms_of_other_networks_are_frozen():
    net = backbones.build("mobilenetv3_small_050").train()
    before = {name: buffer.clone() for name, buffer in net.named_buffers()}
    net(torch.randn(2, 3, 64, 64))
    assert before
    for name, buffer in net.named_buffers():
        assert torch.equal(buffer, before[name]), name


def test_an_unknown_name_names_the_nearest():
    with pytest.raises(UsageError, match="swin_tiny_patch4_window7_224"):
        backbones.build("swin_tiny_patch4_window7_22")


def test_a_network_without_the_four_levels_is_refused():
    with pytest.raises(UsageError, match="stride"):
        backbones.build("vit_tiny_patch16_224")


def test_without_timm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm", None)
    monkeypatch.delitem(sys.modules, "vis.backbones.timm_levels", raising=False)
    with pytest.raises(DeviceError, match="pip install timm"):
        backbones.build("convnext_atto")
    assert timm.__name__ == "timm"
