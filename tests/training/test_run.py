"""Runs of whole experiments, from a YAML and a data set on the disk to a weight file."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.conftest import PATIENCE
from vis import weights
from vis.cli import main
from vis.errors import (
    DataError,
    InputError,
    OutputError,
    OutputExistsError,
    UsageError,
    VisWarning,
)
from vis.storage.lock import locked
from vis.training.experiment import read_experiment, text_of
from vis.training.failed_start import taken_back
from vis.training.run import LOCK, begin, dry_run, go_on

ROOT = Path(__file__).parents[2]


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return weights.load(path).state_dict()


def assert_equal(one: Path, other: Path) -> None:
    left, right = tensors(one), tensors(other)
    assert left.keys() == right.keys()
    assert all(torch.equal(value, right[name]) for name, value in left.items())


def test_a_run_ends_with_weights_that_know_their_classes(config: Path, tmp_path: Path):
    begin(read_experiment(config), tmp_path / "run")
    model = weights.load(tmp_path / "run" / "model.safetensors")
    assert model.name == "detr" and model.class_names == ("flat", "tall")
    again = read_experiment(tmp_path / "run" / "config.yaml")
    assert again == read_experiment(config)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoints", "config.yaml", "log.jsonl", "model.safetensors",
    ]  # fmt: skip


def test_gone_on_with_it_equals_what_never_stopped(config: Path, tmp_path: Path):
    """Ended early by a shorter run of the same schedule, then told the true length."""
    constant = ["--optimisation.schedule.kind", "constant"]
    begin(read_experiment(config, constant), tmp_path / "whole")
    begin(read_experiment(config, [*constant, "--training.steps=2"]), tmp_path / "run")
    go_on(tmp_path / "run", ["--training.steps", "4"])
    assert_equal(tmp_path / "run/model.safetensors", tmp_path / "whole/model.safetensors")
    assert "steps: 4" in (tmp_path / "run" / "config.yaml").read_text()


def test_a_started_model_takes_what_fits(config: Path, tmp_path: Path):
    begin(read_experiment(config, ["--training.steps", "1"]), tmp_path / "first")
    first = tmp_path / "first" / "model.safetensors"
    still = ["--optimisation.lr", "1e-30", "--optimisation.backbone_lr", "0"]
    start = [*still, "--model.init_from", str(first), "--training.steps=1"]
    begin(read_experiment(config, start), tmp_path / "second")
    taken = tensors(tmp_path / "second" / "model.safetensors")
    for name, value in tensors(first).items():
        if not name.startswith("class_head"):
            torch.testing.assert_close(taken[name], value, msg=name)


def test_folders_are_not_taken_twice(config: Path, tmp_path: Path):
    experiment = read_experiment(config, ["--training.steps", "1"])
    begin(experiment, tmp_path / "run")
    with pytest.raises(OutputExistsError, match="--resume"):
        begin(experiment, tmp_path / "run")
    lock = tmp_path / "run" / LOCK
    with (
        locked(lock, where=lock.parent),
        pytest.raises(OutputError, match=f"process {os.getpid()}"),
    ):
        go_on(tmp_path / "run")
    with pytest.raises(InputError, match=r"no config\.yaml"):
        go_on(tmp_path / "nothing")


def test_another_model_cannot_go_on(config: Path, tmp_path: Path):
    begin(read_experiment(config, ["--training.steps", "1"]), tmp_path / "run")
    with pytest.raises(DataError, match="does not fit this run"):
        go_on(tmp_path / "run", ["--model.instance_queries", "5"])


def test_a_class_that_no_data_has_is_refused(config: Path, tmp_path: Path):
    experiment = read_experiment(config, ["--data.classes", "[flat, tall, round]"])
    with pytest.raises(UsageError, match=r"'round' is in none.*data\.classes"):
        begin(experiment, tmp_path / "run")


def test_sets_that_annotate_some_classes_only_train_together(
    shared: Path, tmp_path: Path, recipe: str
):
    """Persons alone in one set, all eight classes in the other."""
    root = shared / "data" / "pack_train"
    sources = [
        {"path": str(root / name), "key": "demo_class"} for name in ("coco_person", "coco_mini")
    ]
    text = recipe.replace("sources: [{{path: {path}}}]", f"sources: {json.dumps(sources)}")
    (tmp_path / "mixture.yaml").write_text(text.replace("{{", "{").replace("}}", "}"))
    experiment = read_experiment(tmp_path / "mixture.yaml", ["--training.batch", "4"])
    begin(experiment, tmp_path / "run")
    model = weights.load(tmp_path / "run" / "model.safetensors")
    assert len(model.class_names) == 8
    assert all(value.isfinite().all() for value in model.state_dict().values())


def test_a_picture_that_cannot_be_read_stops_or_is_counted(
    config: Path, data: Path, tmp_path: Path
):
    shutil.copytree(data, tmp_path / "copy")
    for name in ("00000.jpg", "00001.jpg", "00002.jpg"):
        (tmp_path / "copy" / "JPEGImages" / "v2" / name).write_bytes(b"no picture")
    changes = ["--data.sources", json.dumps([{"path": str(tmp_path / "copy")}])]
    changes += ["--data.classes=[flat, tall]", "--training.batch", "1", "--data.sampling=cyclic"]
    with pytest.raises(DataError, match=r"v2/0000\d\.jpg \(frame \d of video 2\): .* decoded"):
        begin(read_experiment(config, changes), tmp_path / "stops")
    assert not (tmp_path / "stops").exists()
    changes += ["--data.on_bad_sample", "skip", "--training.steps"]
    for run in ("one", "other"):
        with pytest.warns(VisWarning, match=r"v2/0000\d\.jpg .*decoded.* place \(1 of at most 1\)"):
            begin(read_experiment(config, [*changes, "2"]), tmp_path / run)
    assert_equal(tmp_path / "one/model.safetensors", tmp_path / "other/model.safetensors")
    lines = [json.loads(line) for line in (tmp_path / "one/log.jsonl").read_text().splitlines()]
    assert sum(line["replaced"] for line in lines) == 1
    with pytest.warns(VisWarning), pytest.raises(DataError, match="2 samples cannot be read, more"):
        begin(read_experiment(config, [*changes, "20"]), tmp_path / "many")


def test_a_rehearsal_tells_and_writes_nothing(config: Path, tmp_path: Path):
    told = dry_run(read_experiment(config))
    assert told.trained <= told.parameters and told.items == 2
    assert told.shape == (2, 1, 3, 32, 32)
    assert told.lrs[0] == (0, pytest.approx(1e-5)) and told.lrs[-1][0] == 3
    assert "GiB" in str(told) and "whole run" in str(told)
    assert [path.name for path in tmp_path.iterdir()] == ["squares.yaml"]


def test_the_command_trains_rehearses_and_goes_on(config: Path, tmp_path: Path, capsys):
    run = str(tmp_path / "run")
    assert main(["train", "-c", str(config), "--dry-run"]) == 0
    assert "parameters" in capsys.readouterr().out
    assert main(["train", "-c", str(config), "-o", run, "--training.steps", "1"]) == 0
    assert "step 1/1" in capsys.readouterr().err
    assert main(["train", "--resume", run, "--training.steps=2"]) == 0
    assert "step 2/2" in capsys.readouterr().err
    assert main(["train", "-c", str(config), "-o", run]) == 74


def test_the_command_begins_with_weights(config: Path, tmp_path: Path, capsys):
    begin(read_experiment(config, ["--training.steps", "1"]), tmp_path / "first")
    first = tmp_path / "first" / "model.safetensors"
    still = ["--optimisation.lr=1e-30", "--optimisation.backbone_lr=0", "--training.steps=1"]
    second = str(tmp_path / "second")
    assert main(["train", "-c", str(config), "-o", second, "--init", str(first), *still]) == 0
    said = capsys.readouterr().err
    assert f"from {first}: " in said and " tensors taken, 0 stay fresh." in said
    written = read_experiment(tmp_path / "second" / "config.yaml")
    assert written.model.init_from == str(first)
    taken = tensors(tmp_path / "second" / "model.safetensors")
    moved = [n for n, v in tensors(first).items() if not torch.allclose(taken[n], v, atol=1e-20)]
    assert [name for name in moved if "class_head" not in name] == []
    assert main(["train", "--resume", second, "--init", str(first)]) == 64
    assert main(["train", "-c", str(config), "-o", str(tmp_path / "x"), "--init", "no.file"]) == 66


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (["--training.stps", "1"], 64, "training.stps. Did you mean steps"),
        (["--training.steps", "many"], 64, "training.steps is 'many', not a whole number"),
        (["--training.steps"], 64, "--training.steps needs a value"),
        (["--training.steps", "[1"], 64, "not plain YAML"),
        (["--training.steps", "0"], 64, "training.steps is 0"),
        (
            ["--model.instance_querys", "3"],
            64,
            "model.instance_querys. Did you mean instance_queries",
        ),
        (["--model.instance_queries", "a few"], 64, "model.instance_queries is a few"),
        (["--model.name", "dter"], 64, "Did you mean detr"),
        (["--model.classes", "3"], 64, "data set states them"),
        (["--data.sources", "[{path: nowhere.json}]"], 66, "nowhere.json"),
        (["--training.device", "abacus"], 69, "no device 'abacus'"),
        (["--dry-run"], 64, "-o RUN"),
    ],
)
def test_faults_of_the_command_are_one_line(config, tmp_path, capsys, changes, code, words):
    run = ["-o", str(tmp_path / "run")]
    assert main(["train", "-c", str(config), *run, *changes]) == code
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and words in lines[0], lines
    assert not (tmp_path / "run").exists()


def test_what_failed_to_start_leaves_its_folder_for_the_corrected_command(
    config: Path, tmp_path: Path
):
    run = tmp_path / "runs" / "run"
    one = ["train", "-c", str(config), "-o", str(run), "--training.steps=1"]
    assert main([*one, "--init", "no.file"]) == 66
    assert not run.exists()
    run.mkdir()
    (run / "notes.md").write_text("mine")
    assert main([*one, "--init", "no.file"]) == 66
    assert [path.name for path in run.iterdir()] == ["notes.md"]
    assert main(one) == 0
    assert (run / "model.safetensors").is_file() and (run / "notes.md").is_file()


def test_what_was_logged_before_a_failure_stays(tmp_path: Path):
    def start():
        with taken_back(tmp_path):
            (tmp_path / "config.yaml").touch()
            (tmp_path / "log.jsonl").write_text("{}")
            raise DataError("after a step")

    with pytest.raises(DataError):
        start()
    assert len(list(tmp_path.iterdir())) == 2


def test_either_config_or_resume(config: Path, capsys):
    assert main(["train"]) == 64
    assert main(["train", "-c", str(config), "--resume", "x"]) == 64
    assert main(["train", "--resume", "x", "--dry-run"]) == 64
    assert main(["train", "-c", str(config)]) == 64
    assert len(capsys.readouterr().err.splitlines()) == 4


def test_sigterm_saves_and_exits_143(config: Path, tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-m", "vis", "train", "-c", config, "-o", tmp_path / "run",
         "--training.steps", "100000"],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("step 2/"):
            break
    process.send_signal(signal.SIGTERM)
    _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143, rest
    assert "saved at step" in rest and "Traceback" not in rest
    assert not (tmp_path / "run" / "run.lock").exists()
    saved = int(rest.split("saved at step ")[1].split(";")[0])
    go_on(tmp_path / "run", ["--training.steps", str(saved + 1)])
    assert (tmp_path / "run" / "model.safetensors").exists()


OLD = {"sources": "parts", "clip_length": "length", "init_from": "start", "lr": "rate"}
OLD |= {"ema_decay": "average", "grad_accum_steps": "accumulate", "weight_decay": "decay"}


@pytest.mark.filterwarnings("ignore::vis.errors.VisWarning")
def test_a_run_of_the_release_before_goes_on_to_the_same_weights(config: Path, tmp_path: Path):
    """Its settings have their old names; its checkpoints hold the same files."""
    changes = ["--training.ema_decay=0.5", "--training.grad_accum_steps=2"]
    begin(read_experiment(config, [*changes, "--training.save_every=2"]), tmp_path / "whole")
    shutil.copytree(tmp_path / "whole", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "step-00000004")
    text = (tmp_path / "whole" / "config.yaml").read_text()
    for new, old in OLD.items():
        text = re.sub(rf"^( *){new}:", rf"\1{old}:", text, flags=re.MULTILINE)
    (tmp_path / "run" / "config.yaml").write_text(text)
    with pytest.warns(VisWarning, match="'average' is called 'ema_decay' today"):
        go_on(tmp_path / "run")
    assert_equal(tmp_path / "run/model.safetensors", tmp_path / "whole/model.safetensors")
    files = {path.name for path in (tmp_path / "run/checkpoints/step-00000004").iterdir()}
    assert {"model.safetensors", "average.safetensors", "optimiser.safetensors"} < files


def test_the_text_of_an_experiment_reads_the_same(config: Path, tmp_path: Path):
    experiment = read_experiment(config, ["--model.dropout", "0.25", "--data.stride=[1,3]"])
    (tmp_path / "again.yaml").write_text(text_of(experiment))
    assert read_experiment(tmp_path / "again.yaml") == experiment


CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_that_ship_can_be_read(path: Path):
    experiment = read_experiment(path)
    assert experiment.data.sources


def test_the_page_of_settings_has_a_sentence_for_nearly_each():
    from vis.training.config import Optimisation, Training
    from vis.training.settings_help import settings_help

    page = settings_help(Training, "training") + settings_help(Optimisation, "optimisation")
    assert "--optimisation.schedule.warmup\n        Steps over which" in page
    assert "(default: 42)" in page and "One of fp32, tf32, bf16, fp16." in page
    bare = re.findall(r"--(\S+)\n +\(default", page)
    assert bare == ["optimisation.schedule.drop"]


def test_boxes_alone_train_and_measure_a_model_of_boxes(
    config: Path, data: Path, tmp_path: Path, capsys
):
    truth = json.loads((data / "instances.json").read_text())
    size = {"width": 48, "height": 40}
    names = [name for video in truth["videos"] for name in video["file_names"]]
    boxes = [(one["category_id"], box) for one in truth["annotations"] for box in one["bboxes"]]
    value = {
        "images": [{"id": n, "file_name": name, **size} for n, name in enumerate(names)],
        "categories": truth["categories"],
        "annotations": [
            {"id": n, "image_id": n, "category_id": label, "bbox": box, "segmentation": []}
            for n, (label, box) in enumerate(boxes)
        ],
    }
    path = tmp_path / "boxes.json"
    path.write_text(json.dumps(value))
    frames = f"frames: {json.dumps(str(data / 'JPEGImages'))}"
    text = config.read_text().replace(str(data / "instances.json"), str(path))
    config.write_text(text.replace("}]", f", {frames}}}]", 1))
    evaluation = ["--evaluation.data", str(path), "--evaluation.frames", str(data / "JPEGImages")]
    settings = ["--training.steps", "1", "--training.evaluate_every", "1", *evaluation]
    begin(read_experiment(config, settings), tmp_path / "run")
    assert "evaluated: AP " in capsys.readouterr().err
    with pytest.raises(DataError, match=r"6 objects have a box alone.* this model needs masks"):
        begin(read_experiment(config, ["--model.masks", "true"]), tmp_path / "masks")


def test_a_set_of_first_frames_trains_on_what_is_annotated(
    config: Path, data: Path, tmp_path: Path
):
    truth = json.loads((data / "instances.json").read_text())
    for video in truth["videos"]:
        video["annotated_frames"] = [0]
    for annotation in truth["annotations"]:
        annotation["segmentations"][1:] = [None, None]
        del annotation["bboxes"], annotation["areas"]
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(truth))
    (tmp_path / "JPEGImages").symlink_to(data / "JPEGImages")
    config.write_text(config.read_text().replace(str(data / "instances.json"), str(path)))
    settings = ["--training.steps", "1", "--data.clip_length", "1"]
    assert dry_run(read_experiment(config, settings)).items == 2
