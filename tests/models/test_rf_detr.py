"""RF-DETR: its groups and layers, which classes it names, and at which size it looks."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from tests.models.six_pictures import overlaps, six_pictures
from vis import models, weights
from vis.errors import DataError, UsageError
from vis.evaluation.predicting import shared_classes
from vis.formats.ytvis_records import AnnotationSet, Category
from vis.inference.options import TrackOptions
from vis.inference.predictor import Predictor
from vis.inference.resolved_options import resolve
from vis.layers.padding import squash_to
from vis.records import Clip
from vis.weights import catalogue


@pytest.fixture
def model(small: SimpleNamespace) -> models.Model[Any]:
    made = small.make("rf_detr")
    for name, parameter in made.named_parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
        if "class_head.weight" in name:
            torch.nn.init.normal_(parameter, std=1.0)
    return made


@torch.no_grad()
def test_the_first_group_in_training_is_what_is_there_in_use(small: SimpleNamespace, model: Any):
    """So no group sees another: in use there is but one."""
    clip, count = small.clip(model), model.config.queries
    one, all_groups = model(clip), model.train()(clip)
    assert (one.groups, len(one.layers), one.encoder) == (1, 1, None)
    assert (all_groups.groups, len(all_groups.layers)) == (2, 2)
    for name in ("logits", "boxes", "mask_queries"):
        expected = getattr(one.layers[-1], name)
        values = getattr(all_groups.layers[-1], name)
        assert values.shape[1] == 2 * count
        torch.testing.assert_close(values[:, :count], expected)
    torch.testing.assert_close(all_groups.layers[-1].masks()[:, :count], one.layers[-1].masks())


@torch.no_grad()
def test_a_query_has_its_best_class_and_classes_without_a_name_are_never_predicted(
    small: SimpleNamespace, model: Any
):
    clip = small.clip(model)
    output = model(clip)
    output.layers[-1].logits[:, :, 1] = 9.0
    assert all((one.labels == 1).all() for one in model.predictions(output, clip))
    model.class_names = ("a", "", "b", "")
    for picture, one in enumerate(model.predictions(output, clip)):
        probabilities = output.layers[-1].logits[picture, :, [0, 2]].sigmoid()
        expected = probabilities.max(dim=1).values.sort(descending=True).values
        torch.testing.assert_close(one.scores, expected)
        assert set(one.labels.tolist()) <= {0, 2} and not one.class_scores[:, [1, 3]].any()


def test_classes_without_a_name_are_not_written_and_evaluated_by_their_names(model: Any):
    """As of the published files, whose rows are COCO's ids."""
    model.class_names = ("", "person", "", "dog")
    assert resolve(TrackOptions(), model).classes == (1, 3)
    assert resolve(TrackOptions(classes=("dog",)), model).classes == (3,)
    with pytest.raises(UsageError, match="no class ''"):
        resolve(TrackOptions(classes=("",)), model)
    categories = {7: Category(7, "dog"), 9: Category(9, "cup")}
    shared = shared_classes(AnnotationSet(categories, {}, {}), model)
    assert (shared.ids, shared.unknown) == ({3: 7}, ("cup",))


@torch.no_grad()
def test_a_video_is_resized_once_to_the_size_that_the_model_sees(model: Any):
    predictor = Predictor(model, length=1, short=360, longest=640, device=torch.device("cpu"))
    pixels = torch.randint(0, 256, (90, 200, 3), dtype=torch.uint8)
    small = predictor.resize(pixels.numpy())
    frames = pixels.permute(2, 0, 1)[None].float()
    sizes = torch.tensor([[90, 200]])
    for antialias in (False, True):
        expected = squash_to(frames, sizes, (48, 72), antialias=antialias)[0]
        difference = (small - expected).abs().max()
        assert (difference < 1) == (antialias is model.config.antialias)


@torch.no_grad()
def test_pictures_of_any_size_have_masks_of_their_own_proportions(model: Any):
    clip = Clip(torch.rand(1, 1, 3, 80, 40), torch.tensor([[80, 40]]))
    (one,) = model.predictions(model(clip), clip)
    assert one.masks.shape[2:] == (20, 10)
    own = Clip(torch.rand(1, 1, 3, 48, 72), torch.tensor([[48, 72]]))
    output = model(own)
    (one,) = model.predictions(output, own)
    assert one.masks.shape[2:] == (12, 18)
    logits = output.layers[-1].masks()[0]
    assert any(torch.allclose(one.masks[0, 0], mask.sigmoid()) for mask in logits)


def test_a_size_that_cannot_be_names_the_nearest(model: Any):
    with pytest.raises(UsageError, match="264 or 288"):
        models.build("rf_detr", classes=2, windows=2, grid=32, input_height=270, input_width=264)
    with pytest.raises(UsageError, match="72 x 48"):
        resolve(TrackOptions(size=64), model)


def test_training_sees_batches_of_many_sizes(small: SimpleNamespace):
    """Each as many steps of 24 pixels off, either way; in use, it is the model's own."""
    model = small.make("rf_detr", scale_steps=2)
    clip, seen = small.clip(model), set()
    model.backbone.register_forward_pre_hook(lambda _, x: seen.add(tuple(x[0].shape[2:])))
    with torch.no_grad():
        model(clip)
        assert seen == {(48, 72)}
        for _ in range(40):
            output = model.train()(clip)
            masks = output.layers[-1].mask_features.shape[2:]
            assert tuple(4 * side for side in masks) in seen
    # two steps at least
    assert seen == {(48, 48), (48, 72), (72, 96), (96, 120)}


def test_another_data_set_gets_heads_of_its_own_for_classes(small: SimpleNamespace, tmp_path: Path):
    """All others go on; so do those for classes where these are the same."""
    before, model = small.make("rf_detr"), small.make("rf_detr", classes=2)
    weights.save_model(tmp_path / "x", before)
    report = weights.initialise(model, tmp_path / "x")
    heads = {name for name in model.state_dict() if "class_head" in name}
    assert len(heads) == 2 * (1 + model.config.groups)
    assert set(report.missing) == set(report.skipped) == heads
    for name in heads:
        assert "of other classes" in report.skipped[name]
        if name.endswith("bias"):
            torch.testing.assert_close(model.state_dict()[name], torch.full((2,), -math.log(99)))
    other = small.make("rf_detr", grid=5, windows=1)
    with pytest.raises(DataError, match=r"4 x 4 patches.*grid to 4, and model\.windows"):
        weights.initialise(other, tmp_path / "x")


@torch.no_grad()
@pytest.mark.parametrize("size", ["nano", "small", "medium", "large", "xlarge", "2xlarge"])
def test_every_published_size_takes_pictures_that_are_not_square(size: str):
    """Without memory: of the heaviest, too."""
    entry = catalogue.entry(f"rfdetr_seg_{size}")
    with torch.device("meta"):
        model = models.build("rf_detr", classes=entry.classes, **entry.settings).eval()
        model.input_size = (240, 360)
        clip = Clip(torch.rand(2, 1, 3, 90, 150), torch.tensor([[90, 150]] * 2, device="cpu"))
        output = model(clip)
        (one, _) = model.predictions(output, clip)
    # Of Large, the file alone tells how many.
    queries = entry.settings.get("queries", 100)
    assert output.layers[-1].logits.shape == (2, queries, 91)
    assert output.layers[-1].masks().shape == (2, queries, 60, 90)
    assert one.masks.shape == (queries, 1, 23, 38) and one.embeddings.shape == (queries, 256)


def test_six_pictures_are_learnt_from_nothing(small: SimpleNamespace):
    """Name, box and outline of each; scores grow last, as they are to be what the boxes deserve."""
    wide = {"backbone_width": 64, "d_model": 64, "num_heads": 4, "ffn_dim": 128, "queries": 8}
    size = {"input_height": 96, "input_width": 96, "grid": 8, "windows": 1}
    model = small.make("rf_detr", classes=3, **wide, **size).train()
    clip, targets = six_pictures()
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(100):
        optimiser.zero_grad()
        torch.stack(list(model.losses(model(clip), targets).values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
    assert min(overlaps(model.eval(), clip, targets)) > 0.85
