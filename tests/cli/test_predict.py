"""`vis predict`: from a split without truth to a file that `vis submit` takes."""

import json

import pytest
import torch

from vis import models
from vis.cli import main
from vis.errors import EXIT_OK, DataError, OutputExistsError, UsageError
from vis.weights import save_model


@pytest.fixture
def sample(pytestconfig):
    return pytestconfig.rootpath / "data" / "sample"


@pytest.fixture
def split(sample, tmp_path):
    """The sample as a test set publishes it."""
    value = json.loads((sample / "instances.json").read_bytes()) | {"annotations": None}
    (tmp_path / "valid.json").write_text(json.dumps(value))
    return tmp_path / "valid.json"


@pytest.fixture
def model(tmp_path):
    """One that sees a human everywhere, whatever it is shown: what counts is the road."""
    model = models.build(
        "tt_srn", classes=2, frames=4, instance_queries=2, d_model=128,
        encoder_layers=1, decoder_layers=1, ffn_dim=32,
        backbone="pvt_v2_b0",
    )  # fmt: skip
    model.class_names = ("human", "bird")
    with torch.no_grad():
        # row 0 of the published heads is of no class
        for layer, biases in ((model.class_head[4], [-9, 9, -9, -9]), (model.masks.volume[9], [9])):
            layer.weight.zero_()
            layer.bias.copy_(torch.tensor(biases))
    save_model(tmp_path / "model.safetensors", model)
    return tmp_path / "model.safetensors"


def vis(*arguments):
    return main([str(argument) for argument in arguments])


def test_a_split_without_truth_becomes_a_submission(sample, split, model, tmp_path, capsys):
    out = tmp_path / "results.json"
    command = ["predict", "--model", model, "--data", split, "--frames", sample, "-o", out]
    command += ["--size", 32, "--device", "cpu"]
    assert vis(*command) == DataError.exit_code
    assert "(--rename)" in capsys.readouterr().err
    assert vis(*command, "--rename", "person") == UsageError.exit_code
    assert vis(*command, "--rename", "person=human") == EXIT_OK
    said = capsys.readouterr().out
    assert "note: the model does not know" in said
    assert said.endswith(f"wrote {out}: 1 videos\n")
    value = json.loads(split.read_bytes())
    person = next(one["id"] for one in value["categories"] if one["name"] == "person")
    records = json.loads(out.read_bytes())
    assert {record["category_id"] for record in records} == {person}
    assert {record["video_id"] for record in records} == {value["videos"][0]["id"]}
    assert vis("submit", out, "--videos", split, "-o", tmp_path / "results.zip") == EXIT_OK
    assert vis(*command, "--rename", "person=human", "--resume") == EXIT_OK
    assert capsys.readouterr().out.endswith(f"{out}: done before\n")
    assert vis(*command, "--rename", "person=human", "--window", 3) == OutputExistsError.exit_code


def test_evaluate_sends_there_who_has_no_truth(split, model, capsys):
    assert vis("evaluate", "--model", model, "--data", split) == DataError.exit_code
    assert "vis predict" in capsys.readouterr().err


def test_data_check_says_that_there_is_no_truth(sample, split, capsys):
    assert vis("data", "check", split, "--frames", sample) == EXIT_OK
    said = capsys.readouterr().out
    assert "note: the truth of the videos is not in this file" in said
    assert "nothing is wrong" in said and "object" not in said
