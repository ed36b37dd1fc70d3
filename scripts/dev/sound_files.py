"""Small sound files of every format that is read, for `fuzz_files.py` to damage."""

from __future__ import annotations

import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from PIL import Image

from vis.formats.converting import write_set
from vis.formats.index_pictures import palette_png
from vis.formats.ytvis import read_annotations
from vis.ops import rle
from vis.weights.files import ModelMetadata, save

HEIGHT, WIDTH = 6, 8
EXPERIMENT = Path(__file__).parents[2] / "configs" / "tt_srn_tiny.yaml"
NAMES = ["b/00000.jpg", "b/00001.jpg"]


def make_all(root: Path) -> dict[str, Path]:
    """Name of a format -> the file or folder to open, each in a folder of its own."""
    truth = truth_file(_put(root / "ytvis" / "truth.json", _truth()))
    places = {"ytvis": truth}
    for kind in ("coco", "cvat", "labelme", "davis", "mots", "yolo"):
        place = root / kind / {"coco": "set.json", "cvat": "annotations.xml"}.get(kind, "set")
        place.parent.mkdir(exist_ok=True)
        _pictures(root / kind / "frames")
        write_set(place, read_annotations(truth), to=kind, frames=root / kind / "frames")
        places[kind] = place / "data.yaml" if kind == "yolo" else place
    _pictures(root / "yolo" / "set" / "images")
    _pictures(root / "via")
    places |= {
        "cocovid": _put(root / "cocovid" / "set.json", _coco_video()),
        "sav": _put(root / "sav" / "sav_1_manual.json", _sav()),
        "burst": _put(root / "burst" / "train.json", _burst()),
        "labelstudio": _put(root / "labelstudio" / "ls.json", _label_studio()),
        "labelstudio min": _put(root / "labelstudio min" / "min.json", _label_studio_min()),
        "via": _put(root / "via" / "via.json", _via()),
        "vipseg": _vipseg(root / "vipseg"),
        "voc": _voc(root / "voc"),
        "semantic": _semantic(root / "semantic"),
        "results": _put(root / "results" / "results.json", _results()),
        "coco results": _put(root / "coco results" / "results.json", _coco_results()),
        "yaml": root / "yaml" / "experiment.yaml",
    }
    places["yaml"].parent.mkdir()
    places["yaml"].write_text(EXPERIMENT.read_text())
    return places | _weights(root)


def truth_file(path: Path) -> Path:
    """The pictures that a file of `NAMES` lists, beside it."""
    _pictures(path.parent)
    return path


def _pictures(folder: Path) -> None:
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / name)


def _put(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def _mask(x: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[1:4, x : x + 3] = True
    return mask


def _code(x: int) -> dict[str, Any]:
    return dict(rle.to_coco(rle.encode(_mask(x))))


def _truth() -> dict[str, Any]:
    size = {"width": WIDTH, "height": HEIGHT}
    annotations = [
        {"id": n, "video_id": 1, "category_id": n, "iscrowd": 0, **size, "segmentations": masks}
        for n, masks in ((1, [_code(0), _code(1)]), (2, [None, _code(5)]))
    ]
    annotations[0] |= {"bboxes": [[0, 1, 3, 3], [1, 1, 3, 3]], "areas": [9, 9]}
    return {
        "videos": [{"id": 1, **size, "length": 2, "file_names": NAMES}],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": annotations,
    }


def _results() -> list[dict[str, Any]]:
    masks = [_code(0), None]
    return [{"video_id": 1, "category_id": 1, "score": 0.5, "segmentations": masks}] * 2


def _coco_results() -> list[dict[str, Any]]:
    box = {"image_id": 1, "category_id": 1, "score": 0.5, "bbox": [0, 1, 3, 3]}
    return [box, {**box, "segmentation": _code(0)}]


def _coco_video() -> dict[str, Any]:
    size = {"width": WIDTH, "height": HEIGHT}
    images = [
        {"id": n, "video_id": 1, "frame_id": n, "file_name": NAMES[n], **size} for n in range(2)
    ]
    annotation = {"image_id": 0, "category_id": 1, "instance_id": 4, "iscrowd": 0}
    polygon = [[1, 1, 4, 1, 4, 3, 1, 3]]
    return {
        "videos": [{"id": 1, "name": "b"}],
        "images": images,
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [
            {"id": 1, **annotation, "segmentation": polygon, "bbox": [1, 1, 3, 2], "area": 6},
            {"id": 2, **annotation, "image_id": 1, "segmentation": _code(2)},
        ],
    }


def _sav() -> dict[str, Any]:
    return {
        "video_id": "sav_1",
        "video_frame_count": 5.0,
        "video_height": float(HEIGHT),
        "video_width": float(WIDTH),
        "masklet": [[_code(0), _code(5)], [_code(1), _code(4)]],
        "masklet_id": [0, 1],
    }


def _burst() -> dict[str, Any]:
    mask = {"rle": _code(0)["counts"], "is_gt": True}
    sequence = {
        "id": 0,
        "seq_name": "v_ab",
        "dataset": "YFCC100M",
        "width": WIDTH,
        "height": HEIGHT,
        "all_image_paths": ["0.jpg", "1.jpg"],
        "annotated_image_paths": ["0.jpg", "1.jpg"],
        "segmentations": [{"7": mask}, {"7": mask, "9": mask}],
        "track_category_ids": {"7": 805, "9": 1},
    }
    categories = [{"id": 805, "name": "person"}, {"id": 1, "name": "acorn"}]
    return {"sequences": [sequence], "categories": categories, "split": "train"}


def _label_studio() -> list[dict[str, Any]]:
    def shape(kind: str, **value: object) -> dict[str, Any]:
        sides = {"original_width": WIDTH, "original_height": HEIGHT}
        return {"id": kind, "type": kind, "value": {**value, kind: ["cat"]}, **sides}

    box = {"x": 10, "y": 20, "width": 20, "height": 60, "rotation": 15}
    result = [
        shape("polygonlabels", points=[[10, 20], [50, 20], [50, 60]]),
        shape("rectanglelabels", **box),
        shape("ellipselabels", x=50, y=50, radiusX=10, radiusY=40, rotation=0),
    ]
    return [{"id": 1, "annotations": [{"result": result}], "data": {"image": "a.jpg"}}]


def _label_studio_min() -> list[dict[str, Any]]:
    sides = {"original_width": WIDTH, "original_height": HEIGHT}
    shape = {"x": 10, "y": 20, "width": 20, "height": 60, "rectanglelabels": ["cat"], **sides}
    return [{"image": "a.jpg", "id": 1, "label": [shape], "annotation_id": 2, "lead_time": 1.5}]


def _via() -> dict[str, Any]:
    shapes = [
        {"name": "rect", "x": 2, "y": 1, "width": 3, "height": 4},
        {"name": "polygon", "all_points_x": [1, 6, 6], "all_points_y": [1, 1, 5]},
        {"name": "ellipse", "cx": 4, "cy": 3, "rx": 2, "ry": 1, "theta": 0.5},
    ]
    regions = [{"shape_attributes": one, "region_attributes": {"name": "cat"}} for one in shapes]
    picture = {"filename": NAMES[0], "size": 9, "regions": regions, "file_attributes": {}}
    return {"_via_settings": {}, "_via_img_metadata": {"0": picture}, "_via_attributes": {}}


def _vipseg(root: Path) -> Path:
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[4:] = (5, 0, 0)
    pixels[_mask(1)] = (1, 2, 0)
    picture = root / "panomasksRGB" / "v1" / "0.png"
    picture.parent.mkdir(parents=True)
    Image.fromarray(pixels).save(picture)
    segments = [{"id": 513, "category_id": 5}, {"id": 5, "category_id": 9, "iscrowd": 0}]
    frame = {"segments_info": segments, "file_name": "0.png", "image_id": "0"}
    image = {"id": "0", "width": WIDTH, "height": HEIGHT, "file_name": "0.jpg"}
    value = {
        "videos": [{"video_id": "v1", "images": [image]}],
        "annotations": [{"video_id": "v1", "annotations": [frame]}],
        "categories": [
            {"id": 5, "name": "cat", "isthing": 1},
            {"id": 9, "name": "grass", "isthing": 0},
        ],
    }
    return _put(root / "panoptic_gt_VIPSeg_train.json", value)


def _voc(root: Path) -> Path:
    numbers = np.zeros((HEIGHT, WIDTH), np.uint16)
    numbers[0:2, 0:3], numbers[3:5, 2:6] = 1, 2
    classes = np.where(numbers == 1, 15, np.where(numbers == 2, 8, 0)).astype(np.uint16)
    for folder, page in (("SegmentationObject", numbers), ("SegmentationClass", classes)):
        (root / folder).mkdir(parents=True)
        (root / folder / "a.png").write_bytes(palette_png(page))
    for folder in ("JPEGImages", "ImageSets/Segmentation", "Annotations"):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "JPEGImages" / "a.jpg")
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("a\n")
    objects = "".join(f"<object><name>{name}</name></object>" for name in ("rider", "lynx"))
    (root / "Annotations" / "a.xml").write_text(f"<annotation>{objects}</annotation>")
    return root


def _semantic(root: Path) -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True)
    Image.new("RGB", (WIDTH, HEIGHT)).save(root / "images" / "0.jpg")
    Image.fromarray(_mask(1).astype(np.uint8)).save(root / "labels" / "0.png")
    (root / "classes.txt").write_text("sky\nland\n")
    return root


def _weights(root: Path) -> dict[str, Path]:
    folder = root / "weights"
    folder.mkdir()
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.tensor(7)}
    paths = {
        name: folder / f"w.{name}" for name in ("pth", "legacy", "pkl", "safetensors", "vis", "pb")
    }
    torch.save({"model": state, "epoch": 12}, paths["pth"])
    torch.save({"model": state}, paths["legacy"], _use_new_zipfile_serialization=False)
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    paths["pkl"].write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}, 2))
    safetensors.torch.save_file(state, paths["safetensors"], {"name": "x"})
    save(paths["vis"], ModelMetadata("tt_srn", {"width": 32}, ("cat",)), state)
    paths["pb"].write_bytes(_graph())
    return paths


def _graph() -> bytes:
    """A frozen graph of one variable, by protobuf's wire format; no part is 128 bytes long."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    shape = field(2, field(2, b"\x08\x02"))
    value = field(8, b"\x08\x01" + shape + field(4, np.float32([1, 2]).tobytes()))
    attribute = field(5, field(1, b"value") + field(2, value))
    stream = io.BytesIO()
    stream.write(field(1, field(1, b"w") + field(2, b"Const") + attribute))
    stream.write(field(1, field(1, b"w/read") + field(2, b"Identity")))
    return stream.getvalue()
