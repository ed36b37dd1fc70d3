"""Every model of the catalogue, built small, and a batch of two clips of different size."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from vis import models
from vis.backbones import swin
from vis.backbones.swin import SWINS
from vis.backbones.twins import TWINS, Size
from vis.models import Model
from vis.records import Clip, ClipTargets

CLASSES = 4
SMALL = {"encoder_layers": 1, "decoder_layers": 2, "ffn_dim": 32, "num_heads": 8, "chunk": 3}
GRIDS = {
    "backbone": "resnet18",
    "d_model": 32,
    "mask_width": 32,
    "depth": 1,
    "num_heads": 2,
    "grids": (6, 5, 4, 3, 2),
    "sizes": ((1, 32), (16, 64), (32, 128), (64, 256), (128, 2048)),
    "min_class": 0.0,
    "min_score": 0.0,
}
QUERIES = {
    "backbone": "resnet18",
    "d_model": 32,
    "mask_width": 16,
    "queries": 6,
    "num_heads": 2,
    "pixel_depth": 1,
    "pixel_ffn_dim": 32,
    "depth": 4,
    "ffn_dim": 32,
    "points": 64,
    "chunk": 3,
    "frames": 4,
}
PATCHES = {
    "image": 64,
    "patch": 8,
    "d_model": 32,
    "depth": 2,
    "num_heads": 2,
    "decoder_heads": 2,
    "drop_path": 0.0,
    "dropout": 0.0,
}
CODED = {
    "backbone": "resnet18",
    "d_model": 32,
    "queries": 6,
    "stages": 2,
    "num_heads": 2,
    "ffn_dim": 32,
    "dynamic": 8,
    "mask_side": 32,
    "code": 12,
}
ANCHORED = {"mask_width": 32, "min_score": 0.0, "keep": 5}
PLACES = {
    "backbone": "resnet18",
    "d_model": 32,
    "queries": 6,
    "num_heads": 4,
    "encoder_layers": 1,
    "decoder_layers": 2,
    "ffn_dim": 32,
}
RANKED = {
    "input_height": 48,
    "input_width": 72,
    "grid": 4,
    "windows": 2,
    "backbone_width": 32,
    "backbone_depth": 4,
    "backbone_heads": 2,
    "d_model": 32,
    "queries": 6,
    "groups": 2,
    "num_heads": 2,
    "cross_heads": 4,
    "decoder_layers": 2,
    "ffn_dim": 32,
}
AMONG_PATCHES = {
    "d_model": 32,
    "depth": 3,
    "num_heads": 2,
    "query_depth": 2,
    "queries": 6,
    "image": 64,
    "frames": 4,
    "points": 64,
    "chunk": 3,
}
SETTINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "deformable_detr": ("deformable_detr", PLACES),
    "deformable_detr in two stages": (
        "deformable_detr",
        PLACES | {"refine": True, "two_stage": True, "levels": 3},
    ),
    "deformable_detr of one level": ("deformable_detr", PLACES | {"levels": 1, "refine": True}),
    "detr": ("detr", SMALL | {"instance_queries": 5, "backbone": "resnet18", "d_model": 64}),
    "detr with masks": (
        "detr",
        SMALL | {"instance_queries": 5, "backbone": "resnet18", "d_model": 256, "masks": True},
    ),
    "istr": ("istr", CODED),
    "istr of the first release": ("istr", CODED | {"generation": "v1", "codec": "pca"}),
    "istr through a clip": (
        "istr",
        CODED | {"codec": "pca", "stages": 1, "frames": 3, "query_propagation": 0.01},
    ),
    "mask2former": ("mask2former", QUERIES),
    "mask2former of objects": ("mask2former", QUERIES | {"task": "instance"}),
    "mask2former of segments": (
        "mask2former",
        QUERIES | {"task": "panoptic", "things": 2, "min_score": 0.0, "min_whole": 0.0},
    ),
    "mask2former with swin": ("mask2former", QUERIES | {"backbone": "swin_smallest"}),
    "rf_detr": ("rf_detr", RANKED),
    "rf_detr of repeated queries": (
        "rf_detr",
        RANKED | {"windows": 1, "repeat_queries": True, "encoder_mask_conv": False},
    ),
    "segmenter": ("segmenter", PATCHES | {"background": True}),
    "segmenter by windows": (
        "segmenter",
        PATCHES | {"window": 48, "stride": 32, "scales": (1.0, 0.75), "mirrored": True, "chunk": 2},
    ),
    "segmenter with a linear head": (
        "segmenter",
        PATCHES | {"decoder": "linear", "distilled": True, "background": True},
    ),
    "sotr": ("sotr", GRIDS),
    "sotr with pure layers": (
        "sotr",
        GRIDS | {"layers": "pure", "doubled": False, "backbone": "convnext_atto"},
    ),
    "sotr that knows places": ("sotr", GRIDS | {"position_codes": True, "pixels": 0.5}),
    "ssd_mask": ("ssd_mask", ANCHORED),
    "ssd_mask of boxes": ("ssd_mask", ANCHORED | {"masks": False, "aspect": 1.0}),
    "tt_srn": ("tt_srn", SMALL | {"instance_queries": 3, "frames": 4, "backbone": "twins_tiny"}),
    "tt_srn with linear heads": (
        "tt_srn",
        SMALL
        | {
            "instance_queries": 3,
            "frames": 4,
            "backbone": "resnet18",
            "head": "linear_mlp",
            "positions": "added",
        },
    ),
    "videomt": ("videomt", AMONG_PATCHES),
    "videomt of objects": ("videomt", AMONG_PATCHES | {"task": "instance"}),
    "videomt of segments": (
        "videomt",
        AMONG_PATCHES | {"task": "panoptic", "things": 2, "min_score": 0.0, "min_whole": 0.0},
    ),
    "vistr": (
        "vistr",
        SMALL | {"instance_queries": 3, "frames": 4, "backbone": "resnet18", "d_model": 256},
    ),
}


@pytest.fixture(autouse=True, scope="session")
def small_world() -> Iterator[None]:
    """A small Twins and Swin, and one thread: so small, threads cost more than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    TWINS["twins_tiny"] = Size((32, 64, 64, 128), (1, 2, 2, 4), (2, 2, 2, 2))
    SWINS["swin_smallest"] = swin.Size(16, (2, 2, 2, 2), (1, 2, 2, 4), 3)
    yield
    # another folder of tests may have this fixture too, and may end it first
    TWINS.pop("twins_tiny", None), SWINS.pop("swin_smallest", None)
    torch.set_num_threads(threads)


@pytest.fixture(params=sorted(SETTINGS))
def case(request: pytest.FixtureRequest) -> str:
    """The name of one of the small models."""
    name: str = request.param
    return name


@pytest.fixture(params=["detr with masks", "tt_srn", "tt_srn with linear heads", "vistr"])
def masked(request: pytest.FixtureRequest) -> str:
    """The name of one of the small models that have a mask branch."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def small() -> SimpleNamespace:
    """What tests need to build and feed the small models."""
    return SimpleNamespace(
        make=_make, clip=_clip, targets=_targets, classes=CLASSES, settings=SETTINGS
    )


def _make(case: str, **settings: Any) -> Model[Any]:
    """A small model with repeatable weights, in use."""
    name, given = SETTINGS[case]
    torch.manual_seed(0)
    model = models.build(name, **({"classes": CLASSES} | given | settings))
    return model.eval()


def _clip(model: Model[Any], *, frames: int = 2) -> Clip:
    """Two clips on one canvas; the second does not fill it."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, min(frames, model.frames), 3, 64, 96)
    return Clip(torch.rand(shape, generator=generator), torch.tensor([[64, 96], [50, 70]]))


def _targets(clip: Clip) -> list[ClipTargets]:
    """Two instances in the first clip, one of them not always there; none in the second."""
    T = clip.frames.shape[1]
    visible = torch.ones(2, T, dtype=torch.bool)
    visible[1, 1:] = False
    boxes = torch.tensor([[0.1, 0.2, 0.6, 0.9], [0.5, 0.5, 1.0, 0.8]])
    masks = torch.zeros(2, T, 64, 96, dtype=torch.bool)
    masks[0, :, 13:57, 10:57] = True
    masks[1, :1, 32:51, 48:] = True
    boxes = boxes[:, None].expand(2, T, 4) * visible[..., None]
    first = ClipTargets(torch.tensor([0, CLASSES - 1]), boxes, masks, visible)
    empty = ClipTargets(*(field[:0] for field in (first.labels, boxes, masks, visible)))
    return [first, empty]
