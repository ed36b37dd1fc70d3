"""Exported models: the file says what the model says, and needs nothing of the package."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import vis
from vis.errors import DataError, OutputExistsError, UsageError
from vis.export.engine import OnnxModel, onnx_model
from vis.export.export import _difference, export
from vis.export.graph_files import exported
from vis.export.step import Step
from vis.inference.model_classes import model_sha256
from vis.models._contract import OnlineModel
from vis.records import Clip

pytest.importorskip("onnxruntime")
ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data/sample/clip.mp4"
SIZE = (64, 96)
GRAPHS = (
    "deformable_detr",
    "detr with masks",
    "mask2former of objects",
    "rf_detr",
    "ssd_mask",
    "tt_srn",
)
# the fewest layers, and no more parts than one: making a graph takes time by its nodes
FEWEST: dict[str, dict[str, int]] = {
    "detr with masks": {"decoder_layers": 1, "chunk": 12},
    "mask2former of objects": {"depth": 3, "chunk": 12},
    "rf_detr": {"decoder_layers": 1},
    "tt_srn": {"decoder_layers": 1, "chunk": 12},
}


@pytest.mark.parametrize("case", GRAPHS)
@torch.no_grad()
def test_rows_of_a_fixed_number_say_what_the_model_says(case: str, small: SimpleNamespace) -> None:
    model = small.make(case)
    step = Step(model, SIZE)
    frames = torch.rand(model.frames, 3, *SIZE)
    values = step(frames)
    fields = dict(zip(step.names, values, strict=True))
    clip = Clip(frames[None], torch.tensor([SIZE]))
    (expected,) = model.predictions(model(clip), clip)
    rows = fields["scores"] > 0
    for name in ("scores", "labels", "class_scores", "boxes", "masks", "presence"):
        torch.testing.assert_close(
            fields[name][rows], getattr(expected, name)[expected.scores > 0], atol=1e-4, rtol=1e-4
        )


def test_a_graph_of_a_clip_pads_what_no_window_divides(
    small: SimpleNamespace, tmp_path: Path
) -> None:
    # compared in export itself, as are the other files here
    done = export(
        small.make("tt_srn", **FEWEST["tt_srn"]), tmp_path / "out", size=(50, 70), formats=["onnx"]
    )
    assert done.difference < 1e-3


@pytest.mark.parametrize("case", ["istr", "mask2former of segments", "segmenter", "sotr"])
def test_what_is_no_graph_is_refused_with_the_reason(case: str, small: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match="cannot be exported: "):
        exported(Step(small.make(case), SIZE))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model that ships, exported for small frames."""
    folder = tmp_path_factory.mktemp("exported") / "default"
    model = vis.load("default")
    done = export(model, folder, size=(180, 320), name="default", formats=["onnx"])
    assert done.difference < 1e-3
    return folder


def test_the_card_states_what_a_stranger_needs(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    assert card["inputs"][0]["shape"] == [1, 3, 180, 320] and len(card["classes"]) == 80
    assert [output["name"] for output in card["outputs"]][:5] == [
        "scores",
        "labels",
        "class_scores",
        "boxes",
        "masks",
    ]
    assert {path.name for path in folder.iterdir()} == {"card.json", "model.onnx"}


def test_a_folder_that_is_filled_is_refused(folder: Path) -> None:
    with pytest.raises(OutputExistsError):
        export(vis.load("default"), folder, size=(180, 320))


def test_a_film_is_tracked_without_the_package(folder: Path, tmp_path: Path) -> None:
    with (
        vis.open_video(SAMPLE) as reader,
        vis.VideoWriter(tmp_path / "film.mp4", info=reader.info) as writer,
    ):
        for _, frame in zip(range(6), reader, strict=False):
            writer.write(frame)
    example = ROOT / "docs/examples/track_onnx.py"
    done = subprocess.run(
        [sys.executable, "-I", str(example), str(folder), str(tmp_path / "film.mp4")],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {line[0] for line in lines} == {str(index) for index in range(6)}
    assert "person" in {line[2] for line in lines}
    assert "import vis" not in example.read_text()


def test_the_engine_tracks_what_the_model_tracks(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIS_HOME", str(tmp_path))
    # where the engine would write the graph that it needs; so it is made but once here
    graph = tmp_path / "onnx" / f"{model_sha256(vis.load('default'))[:16]}-180x320.onnx"
    graph.parent.mkdir()
    shutil.copy(folder / "model.onnx", graph)
    settings = {"max_frames": 8, "size": 180, "min_length": 1}
    expected = vis.track(SAMPLE, **settings, device="cpu").collect()
    actual = vis.track(SAMPLE, **settings, device="cpu", engine="onnx").collect()
    assert len(expected.tracks) > 0
    assert [track.label for track in actual.tracks] == [track.label for track in expected.tracks]
    for a, b in zip(actual.tracks, expected.tracks, strict=True):
        assert a.score == pytest.approx(b.score, abs=1e-3)
        assert a.masks.keys() == b.masks.keys()
    assert list(graph.parent.iterdir()) == [graph]


def test_the_engine_makes_a_graph_for_each_size_once(
    small: SimpleNamespace, tmp_path: Path
) -> None:
    engine = OnnxModel(small.make("detr with masks", **FEWEST["detr with masks"]), tmp_path, "key")
    clip = Clip(torch.rand(2, 1, 3, *SIZE), torch.tensor([SIZE] * 2))
    with torch.no_grad():
        expected = engine.model.predictions(engine.model(clip), clip)
    for _ in range(2):
        for a, b in zip(engine.predictions(engine(clip), clip), expected, strict=True):
            torch.testing.assert_close(a.scores, b.scores[b.scores > 0], atol=1e-4, rtol=0)
    assert [path.name for path in tmp_path.iterdir()] == ["key-64x96.onnx"]


@pytest.fixture(scope="module")
def of_any_size(
    small: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """`of_any_size(case)` is the folder of a small model, exported when first asked for."""
    folder = tmp_path_factory.mktemp("of_any_size")

    @cache
    def export_once(case: str) -> Path:
        # compared in export itself, at this size and at 64 x 160
        model = small.make(case, **FEWEST.get(case, {}))
        done = export(model, folder / case, size=SIZE, dynamic=True, formats=["onnx"])
        assert done.difference < 1e-3
        return done.folder

    return export_once


@torch.no_grad()
def test_a_state_goes_through_the_graph(
    small: SimpleNamespace, of_any_size: Callable[[str], Path], tmp_path: Path
) -> None:
    model, folder = small.make("videomt"), of_any_size("videomt")
    shutil.copy(folder / "model.onnx", tmp_path / "key-any.onnx")
    engine = onnx_model(model, tmp_path, "key")
    assert isinstance(engine, OnlineModel)
    states = [None, None]
    for _ in range(3):
        clip = Clip(torch.rand(1, 1, 3, *SIZE), torch.tensor([SIZE]))
        said = []
        for place, one in enumerate((model, engine)):
            output, states[place] = one.step(clip, states[place])
            said += one.query_predictions(output, clip)
        torch.testing.assert_close(said[0].query_logits, said[1].query_logits, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(said[0].masks, said[1].masks, atol=1e-4, rtol=1e-4)
    assert np.load(folder / "queries.npy").shape == tuple(model.first_state(1).queries.shape)


@pytest.mark.parametrize("case", ["mask2former of objects", "rf_detr", "videomt"])
def test_a_graph_of_any_size_says_at_another_one_what_the_model_says(
    case: str, small: SimpleNamespace, of_any_size: Callable[[str], Path], tmp_path: Path
) -> None:
    model, folder = small.make(case, **FEWEST.get(case, {})), of_any_size(case)
    card = json.loads((folder / "card.json").read_text())
    multiple = 1 if case == "rf_detr" else 32
    assert card["inputs"][0]["dynamic_axes"]["3"] == {"multiple": multiple, "min": 64, "max": 4096}
    assert {row["name"] for row in card["outputs"] if "dynamic_axes" in row} == {"masks"}
    with torch.no_grad():
        shutil.copy(folder / "model.onnx", tmp_path / "key-any.onnx")
        engine = onnx_model(model, tmp_path, "key")
        for size in (SIZE, (128, 64)):
            clip = Clip(torch.rand(1, 1, 3, *size), torch.tensor([size]))
            pair = [
                one.query_predictions(one.step(clip, None)[0], clip)[0]
                if isinstance(one, OnlineModel)
                else one.predictions(one(clip), clip)[0]
                for one in (model, engine)
            ]
            for name in ("scores", "masks"):
                torch.testing.assert_close(*(getattr(x, name) for x in pair), atol=1e-3, rtol=0)
        assert len(list(tmp_path.iterdir())) == 1


def test_what_has_no_graph_of_any_size_says_who_has(small: SimpleNamespace) -> None:
    with pytest.raises(UsageError, match=r"a graph of detr is of one size.*videomt"):
        Step(small.make("detr"), SIZE, any_size=True)
    with pytest.raises(UsageError, match="multiples of 32"):
        Step(small.make("videomt"), (64, 90), any_size=True)


@torch.no_grad()
def test_the_program_alone_is_compared_too(small: SimpleNamespace, tmp_path: Path) -> None:
    model = small.make("deformable_detr")
    step = Step(model, SIZE)
    with pytest.raises(DataError, match="differ by"):
        _difference(step, tmp_path, lambda *inputs: [x + 1 for x in step(*inputs)])
    with pytest.raises(DataError, match="differ by"):
        _difference(step, tmp_path, lambda *inputs: [x / 0 * 0 for x in step(*inputs)])
    done = export(model, tmp_path / "out", size=SIZE, formats=["torch"])
    assert done.difference < 1e-6
    frames = torch.rand(1, 3, *SIZE)
    program = torch.export.load(str(tmp_path / "out/model.pt2")).module()
    for a, b in zip(program(frames), step(frames), strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=0)
