"""Outputs get their names when all are whole; a kill at any step loses none of them."""

import json
from pathlib import Path

import pytest

from vis.errors import OutputError, OutputExistsError, UsageError
from vis.storage.staged_outputs import FINISHED, RUN, StagedOutputs

OUTPUTS = {"csv": "name.csv", "pictures": "name.frames"}


def staged(folder: Path, *, overwrite: bool = False, **settings: object) -> StagedOutputs:
    return StagedOutputs(
        folder, "name", outputs=OUTPUTS, settings=settings or {"size": 1}, overwrite=overwrite
    )


def fill(outputs: StagedOutputs) -> None:
    (outputs.path / "name.csv").write_text("rows")
    (outputs.path / "name.frames").mkdir(exist_ok=True)
    (outputs.path / "name.frames" / "000000.png").write_bytes(b"picture")


def run(outputs: StagedOutputs) -> None:
    with outputs.owned(resume=False) as goes_on:
        assert not goes_on
        fill(outputs)
        outputs.finish({"frames": 1})


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_all_outputs_appear_together_and_nothing_else_stays(tmp_path):
    outputs = staged(tmp_path / "out")
    assert not outputs.is_done()
    run(outputs)
    assert names(tmp_path / "out") == {"name.csv", "name.frames", ".name.done.json"}
    assert outputs.is_done() and not staged(tmp_path / "out", size=2).is_done()
    mark = json.loads((tmp_path / "out" / ".name.done.json").read_text())
    assert mark == {"frames": 1, "settings": {"size": 1}, "outputs": list(OUTPUTS.values())}


@pytest.mark.parametrize("names_given", [0, 1, 2])
def test_names_that_a_kill_left_ungiven_are_given_by_the_next_run(tmp_path, names_given):
    outputs = staged(tmp_path)
    replace, left = Path.replace, [names_given]

    def killed(path: Path, target: Path) -> Path:
        if target.name in OUTPUTS.values():
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        if target.name == ".name.done.json" and names_given == len(OUTPUTS):
            raise KeyboardInterrupt
        return replace(path, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run(outputs)
    again = staged(tmp_path)
    with again.owned(resume=True) as goes_on:
        assert goes_on and again.is_finished
        again.publish()
    assert names(tmp_path) == {"name.csv", "name.frames", ".name.done.json"}
    assert (tmp_path / "name.csv").read_text() == "rows"
    assert again.is_done()


def test_an_unfinished_run_goes_on_with_its_own_settings_alone(tmp_path):
    first = staged(tmp_path)
    with first.owned(resume=False):
        fill(first)
    with pytest.raises(OutputExistsError, match="unfinished"), first.owned(resume=False):
        pass
    with pytest.raises(UsageError, match="size is 2"), staged(tmp_path, size=2).owned(resume=True):
        pass
    with staged(tmp_path).owned(resume=True) as goes_on:
        assert goes_on and (first.path / "name.csv").exists()
    with staged(tmp_path, overwrite=True).owned(resume=False) as goes_on:
        assert not goes_on and names(first.path) == {RUN}


def test_one_process_has_the_folder(tmp_path):
    outputs = staged(tmp_path)
    with (
        outputs.owned(resume=False),
        pytest.raises(OutputError, match="is writing there"),
        staged(tmp_path).owned(resume=True),
    ):
        pytest.fail("two had the folder")


def test_outputs_that_are_there_are_replaced_on_request_and_only_such_as_we_write(tmp_path):
    run(staged(tmp_path))
    with pytest.raises(OutputExistsError), staged(tmp_path).owned(resume=False):
        pass
    run(staged(tmp_path, overwrite=True))
    (tmp_path / "name.frames" / "thesis.doc").touch()
    with pytest.raises(OutputExistsError, match=r"thesis\.doc"):
        run(staged(tmp_path, overwrite=True))
    assert (tmp_path / "name.frames" / "thesis.doc").exists()


def test_a_hidden_folder_that_no_run_made_is_not_cleared(tmp_path):
    (tmp_path / ".name.part").mkdir()
    (tmp_path / ".name.part" / "precious").touch()
    outputs = staged(tmp_path, overwrite=True)
    with pytest.raises(OutputError, match="not made by a run"), outputs.owned(resume=False):
        pass
    assert names(outputs.path) == {"precious"}


def test_what_a_kill_left_after_the_end_is_swept(tmp_path):
    outputs = staged(tmp_path)
    run(outputs)
    outputs.path.mkdir()
    (outputs.path / FINISHED).touch()
    outputs.sweep()
    assert names(tmp_path) == {"name.csv", "name.frames", ".name.done.json"}
