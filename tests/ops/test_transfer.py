"""Tensors between host and GPU: nothing changes on the way but the width of floats."""

import pytest
import torch

from vis.ops.transfer import to_device, to_host

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]


@pytest.mark.parametrize("device", DEVICES)
def test_there_and_back(device: str):
    numbers = torch.rand(3, 4).half()
    sent = [to_device(x, torch.device(device)) for x in (numbers, torch.arange(5), numbers[:0])]
    assert {x.device.type for x in sent} == {device}
    back = to_host([*sent, None])
    assert back[0].dtype == back[2].dtype == torch.float32 and back[1].dtype == torch.int64
    assert torch.equal(back[0], numbers.float()) and back[1].tolist() == [0, 1, 2, 3, 4]
    assert back[2].shape == (0, 4) and back[3] is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_bytes_on_the_way_to_a_gpu_wait_for_nothing():
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8)
    torch.cuda.set_sync_debug_mode("error")
    try:
        there = to_device(pixels, torch.device("cuda"))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert torch.equal(there.cpu(), pixels)
