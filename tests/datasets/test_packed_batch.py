import pickle

import torch

from vis.datasets.packed_batch import pack, unpack
from vis.datasets.sample import Sample
from vis.records import ClipTargets


def sample(instances: int, height: int, width: int) -> Sample:
    generator = torch.Generator().manual_seed(100 * instances + height)
    targets = ClipTargets(
        labels=torch.arange(instances),
        boxes=torch.rand(instances, 2, 4, generator=generator),
        masks=torch.rand(instances, 2, height, width, generator=generator) < 0.5,
        visible=torch.rand(instances, 2, generator=generator) < 0.5,
        labelled=torch.tensor([True, False]) if instances else None,
    )
    frames = torch.randint(0, 256, (2, 3, height, width), generator=generator).byte()
    return Sample(frames, targets, f"{instances}")


def test_what_is_packed_comes_out_as_it_was():
    samples = [sample(2, 5, 7), sample(0, 4, 9), sample(3, 6, 6)]
    packed = pickle.loads(pickle.dumps(pack(7, samples)))
    assert packed.step == 7 and packed.names == ["2", "0", "3"]
    assert packed.sizes.tolist() == [[5, 7], [4, 9], [6, 6]]
    assert packed.frames.shape == (3, 2, 3, 6, 9)
    for was, found in zip(samples, unpack(packed), strict=True):
        for name in ("labels", "boxes", "masks", "visible"):
            assert torch.equal(getattr(was.targets, name), getattr(found, name))
    said = [targets.labelled.tolist() for targets in unpack(packed)]
    assert said == [[True, False], [True, True], [True, False]]


def test_where_all_classes_are_annotated_nothing_is_said():
    (found,) = unpack(pack(0, [sample(0, 4, 4)]))
    assert found.labelled is None


def test_the_tensors_of_a_batch_are_few_however_many_its_clips():
    """A batch of 300 clips with 4 tensors each would open more files than a process may."""
    packed = pack(0, [sample(1, 4, 4)] * 300)
    values = [getattr(packed, name) for name in packed.__slots__]
    assert sum(isinstance(value, torch.Tensor) for value in values) <= 7
