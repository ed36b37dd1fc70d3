"""DINOv2: windows of a frame that is no square, its position table, and what a block computes."""

import torch
from torch.nn.functional import gelu, interpolate, layer_norm

from vis.backbones.dinov2 import WindowedDINOv2, block, resized_positions


def build(*, windows: int, grid: int = 4) -> WindowedDINOv2:
    torch.manual_seed(0)
    net = WindowedDINOv2(grid, patch=4, windows=windows, width=8, depth=4, num_heads=2)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return net.eval()


def reference(net: WindowedDINOv2, frame: torch.Tensor) -> list[torch.Tensor]:
    """One frame, window after window, by slices alone; blocks 1, 2 and 3 see all windows."""
    cells = net.patch(frame[None])[0]
    C, h, w = cells.shape
    positions = resized_positions(net.positions, (h, w), first=1)[0]
    cells = cells + positions[1:].T.reshape(C, h, w)
    n, down, across = net.windows, h // net.windows, w // net.windows
    places = [
        (slice(r * down, (r + 1) * down), slice(c * across, (c + 1) * across))
        for r in range(n)
        for c in range(n)
    ]
    first = net.cls_token[0] + positions[:1]
    windows = [torch.cat((first, cells[:, rows, columns].flatten(1).T)) for rows, columns in places]
    maps = []
    for index, layer in enumerate(net.blocks):
        if index:
            windows = list(layer(torch.cat(windows)[None])[0].chunk(n * n))
        else:
            windows = [layer(window[None])[0] for window in windows]
        out = torch.empty(C, h, w)
        for (rows, columns), window in zip(places, windows, strict=True):
            out[:, rows, columns] = net.norm(window)[1:].T.reshape(C, down, across)
        maps.append(out)
    return maps


@torch.no_grad()
def test_windows_of_a_frame_that_is_no_square():
    net, frames = build(windows=2), torch.randn(2, 3, 16, 24)
    maps = net(frames)
    for number, frame in enumerate(frames):
        for ours, slow in zip(maps, reference(net, frame), strict=True):
            torch.testing.assert_close(ours[number], slow)


@torch.no_grad()
def test_one_window_is_the_whole_frame_and_two_are_not():
    frames = torch.randn(1, 3, 16, 16)
    whole, cut = build(windows=1)(frames), build(windows=2)(frames)
    torch.testing.assert_close(whole[0][0], reference(build(windows=1), frames[0])[0])
    assert not torch.allclose(whole[0], cut[0])


def test_positions_of_another_shape_are_resized_whatever_their_count():
    table = torch.randn(1, 17, 2)
    assert resized_positions(table, (4, 4), first=1) is table
    found = resized_positions(table, (2, 8), first=1)
    square = table[:, 1:].mT.reshape(1, 2, 4, 4)
    expected = interpolate(square, (2, 8), mode="bicubic", antialias=True, align_corners=False)
    assert found.shape == table.shape and torch.equal(found[:, :1], table[:, :1])
    torch.testing.assert_close(found[:, 1:], expected.flatten(2).mT)
    assert resized_positions(table[:, 1:].bfloat16(), (2, 2)).dtype == torch.float32


@torch.no_grad()
def test_a_block_scales_what_it_adds_by_channel():
    torch.manual_seed(0)
    layer, x = block(8, 2), torch.randn(1, 5, 8)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    attended = layer.attn(layer_norm(x, (8,), layer.norm1.weight, layer.norm1.bias, 1e-6))
    y = x + layer.ls1.gamma * attended
    inner = layer.mlp.fc1(layer_norm(y, (8,), layer.norm2.weight, layer.norm2.bias, 1e-6))
    torch.testing.assert_close(layer(x), y + layer.ls2.gamma * layer.mlp.fc2(gelu(inner)))
