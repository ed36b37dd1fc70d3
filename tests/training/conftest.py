"""The squares of `squares.py`, and squares as a data set on the disk, for every test here."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from PIL import Image

from vis.ops import rle

PROGRAM = Path(__file__).parent / "squares.py"
YAML = """
model: {{name: detr, backbone: pvt_v2_b0, instance_queries: 3, d_model: 32, num_heads: 4,
  encoder_layers: 1, decoder_layers: 1, ffn_dim: 32}}
data:
  sources: [{{path: {path}}}]
  clip_length: 1
  augmentation: {{colours: null, last: null, fixed: [32, 32]}}
optimisation: {{lr: 1e-3, schedule: {{kind: cosine, warmup: 2}}}}
training: {{steps: 4, batch: 2, workers: 0, save_every: 9, log_every: 1, device: cpu}}
"""


@pytest.fixture(scope="session")
def squares() -> ModuleType:
    """The module, which is a program of its own for tests that kill it."""
    spec = importlib.util.spec_from_file_location("training_squares", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """So small, threads cost more than they gain."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def recipe() -> str:
    """The YAML of a small experiment, whose data is yet to be named."""
    return YAML


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos of a bright square on the move, as a YouTube-VIS file and JPEGs."""
    folder = tmp_path_factory.mktemp("squares")
    videos, annotations = [], []
    for video in (1, 2):
        names, masks = [], []
        (folder / "JPEGImages" / f"v{video}").mkdir(parents=True)
        for t in range(3):
            picture = np.full((40, 48, 3), 60, np.uint8)
            mask = np.zeros((40, 48), bool)
            mask[10 : 10 + 8 * video, 4 + t : 20 + t] = True
            picture[mask] = 220
            names.append(f"v{video}/{t:05}.jpg")
            Image.fromarray(picture).save(folder / "JPEGImages" / names[-1])
            code = rle.encode(mask)
            masks.append({"size": [40, 48], "counts": code.counts.decode()})
        size = {"width": 48, "height": 40, "length": 3}
        videos.append({"id": video, "file_names": names, **size})
        boxes = [[4 + t, 10, 16, 8 * video] for t in range(3)]
        annotations.append(
            {"id": video, "video_id": video, "category_id": video, "segmentations": masks,
             "bboxes": boxes, "areas": [128 * video] * 3, "iscrowd": 0, **size}
        )  # fmt: skip
    categories = [{"id": 1, "name": "flat"}, {"id": 2, "name": "tall"}]
    value = {"videos": videos, "annotations": annotations, "categories": categories}
    (folder / "instances.json").write_text(json.dumps(value))
    return folder


@pytest.fixture
def config(data: Path, tmp_path: Path) -> Path:
    path = tmp_path / "squares.yaml"
    path.write_text(YAML.format(path=json.dumps(str(data / "instances.json"))))
    return path
