"""A disk that fails while whole outputs get their names, or while a log grows."""

import json
import os

import pytest

from tests.inference.knowing import Knowing
from tests.jobs.test_resume import film, go
from vis.errors import OutputError
from vis.storage import staged_outputs
from vis.training import log


@pytest.mark.parametrize("name", ["film.json", "film.jsonl", "film.csv", "finished.json"])
def test_whole_outputs_whose_names_fail_stay_as_they_are(name, tmp_path, monkeypatch):
    source, model = film(tmp_path, 12), Knowing(6)
    expected = go(source, tmp_path / "whole", model=model).outputs

    def sync_tree(path):
        if path.name == name:
            raise OSError(5, "Input/output error")

    def write_whole(path, *_, **__):
        raise OutputError("the disk is full", where=str(path))

    monkeypatch.setattr(staged_outputs, "sync_tree", sync_tree)
    if name == "finished.json":
        monkeypatch.setattr(staged_outputs, "write_whole", write_whole)
    with pytest.raises(OutputError, match=r"film"):
        go(source, tmp_path / "out", model=model)
    monkeypatch.undo()
    outputs = go(source, tmp_path / "out", model=model, resume=True).outputs
    assert [p.read_bytes() for p in outputs] == [p.read_bytes() for p in expected]


def test_a_log_that_cannot_grow_is_named(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"log\.jsonl: disk full"):
        log._append(tmp_path / "log.jsonl", {"step": 1})


def test_a_line_that_is_taken_in_parts_is_whole(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, text: write(handle, text[:5]))
    log._append(tmp_path / "log.jsonl", {"step": 1, "loss": float("nan")})
    assert json.loads((tmp_path / "log.jsonl").read_text()) == {"step": 1, "loss": None}
