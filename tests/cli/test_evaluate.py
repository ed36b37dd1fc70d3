"""`vis evaluate`: what it prints, what it writes, and its exit codes."""

import json

import pytest

from vis import models
from vis.cli import main
from vis.errors import EXIT_DAMAGED, EXIT_OK, DataError, OutputExistsError, UsageError
from vis.formats.opening import open_set
from vis.formats.ytvis import write_results
from vis.weights import save_model


@pytest.fixture
def sample(pytestconfig):
    return pytestconfig.rootpath / "data" / "sample"


@pytest.fixture
def results(sample, tmp_path):
    """The truth of the sample as a results file."""
    truth = open_set(sample).annotations
    lengths = {key: video.length for key, video in truth.videos.items()}
    write_results(tmp_path / "results.json", truth.tracks, lengths)
    return tmp_path / "results.json"


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def test_results_make_a_table_a_file_and_a_report(sample, results, tmp_path, capsys):
    arguments = ["--truth", sample, "--results", results, "--metrics", "ap,identity"]
    outputs = ["--json", tmp_path / "n.json", "--report", tmp_path / "out"]
    assert evaluate(*arguments, *outputs, "--per-category") == EXIT_OK
    lines = capsys.readouterr().out.splitlines()
    assert "AP " in " ".join(lines)
    assert any(line.split()[:2] == ["AP", "100.0"] for line in lines)
    assert any(line.split()[:2] == ["HOTA", "100.0"] for line in lines)
    assert any(line.split() == ["cup", "100.0", "1"] for line in lines)
    numbers = json.loads((tmp_path / "n.json").read_text())
    keys = {"AP", "AP50", "AP75", "APs", "APm", "APl", "AP_per_category"}
    assert keys | {"AR1", "AR10", "AR100", "ARs", "ARm", "ARl"} < set(numbers)
    assert numbers["AP"] == pytest.approx(1)
    assert numbers["identity"]["ID_switches"] == 0
    assert "<h1>" in (tmp_path / "out" / "report.html").read_text()


def test_outputs_that_are_there_are_refused_before_the_work(sample, tmp_path, capsys):
    (tmp_path / "n.json").write_text("mine")
    arguments = ["--truth", sample, "--results", tmp_path / "none.json"]
    assert evaluate(*arguments, "--json", tmp_path / "n.json") == OutputExistsError.exit_code
    assert (tmp_path / "n.json").read_text() == "mine"


def test_faulty_results_are_an_error_or_counted(sample, results, capsys):
    records = json.loads(results.read_text())
    wrong = [records[0] | {"category_id": 99}, records[0] | {"score": float("nan")}]
    results.write_text(json.dumps(records + wrong))
    arguments = ["--truth", sample, "--results", results]
    assert evaluate(*arguments) == DataError.exit_code
    assert f"{results}: results[{len(records)}]: category_id 99" in capsys.readouterr().err
    assert evaluate(*arguments, "--lenient") == EXIT_DAMAGED
    said = capsys.readouterr().out
    assert "skipped 2 faulty records" in said
    assert "1  score is nan" in said


@pytest.mark.parametrize(
    "arguments",
    [[], ["--truth", "a"], ["--truth", "a", "--results", "b", "--model", "c"], ["--model", "c"]],
)
def test_what_to_measure_must_be_clear(arguments, capsys):
    assert evaluate(*arguments) == UsageError.exit_code
    assert "--truth and --results, or --model and --data" in capsys.readouterr().err


def test_a_model_is_measured_on_a_data_set(sample, tmp_path, capsys):
    """An untrained one, which finds little; what counts is the road."""
    model = models.build(
        "tt_srn", classes=2, frames=4, instance_queries=2, d_model=128,
        encoder_layers=1, decoder_layers=1, ffn_dim=32,
        backbone="pvt_v2_b0",
    )  # fmt: skip
    model.class_names = ("person", "bird")
    save_model(tmp_path / "model.safetensors", model)
    arguments = ["--model", tmp_path / "model.safetensors", "--data", sample, "--size", 32]
    save = ["--save", tmp_path / "found.json", "--device", "cpu"]
    assert evaluate(*arguments, *save) == EXIT_OK
    said = capsys.readouterr().out
    assert "note: The model does not know" in said
    assert evaluate("--truth", sample, "--results", tmp_path / "found.json") == EXIT_OK
    assert evaluate(*arguments, *save) == OutputExistsError.exit_code
    assert evaluate(*arguments, "--rename", "person") == UsageError.exit_code
