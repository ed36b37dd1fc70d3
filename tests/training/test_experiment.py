"""One YAML, and dotted names that win, are one experiment; what ships resolves as it always did."""

import importlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from vis.cli import main
from vis.errors import UsageError
from vis.training.config_file import parse_yaml
from vis.training.experiment import read_experiment, text_of

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
# All settings of the configurations that ship, as version 0.1's own reader resolved them.
RESOLVED: dict[str, Any] = json.loads((Path(__file__).parent / "resolved_configs.json").read_text())
RENAMED: dict[str, dict[str, str]] = {
    "model": {"start": "init_from"},
    "data": {
        "parts": "sources",
        "length": "clip_length",
        "reach": "max_offset",
        "empty": "keep_empty",
        "balance": "repeat_factor_threshold",
        "turn": "rotation",
        "stops": "keyframes",
        "guests": "copy_paste_instances",
        "exchange": "channel_shuffle",
        "filling": "pad_value",
    },
    "optimisation": {
        "rate": "lr",
        "backbone_rate": "backbone_lr",
        "rates": "lr_factors",
        "decay": "weight_decay",
        "clip": "max_grad_norm",
    },
    "training": {
        "accumulate": "grad_accum_steps",
        "recompute": "activation_checkpointing",
        "average": "ema_decay",
    },
}


def renamed(table: Any, names: dict[str, str]) -> Any:
    if isinstance(table, dict):
        return {names.get(key, key): renamed(value, names) for key, value in table.items()}
    return [renamed(item, names) for item in table] if isinstance(table, list) else table


def plain(settings: Any) -> Any:
    return json.loads(json.dumps(asdict(settings)))


def test_every_configuration_is_compared():
    assert [path.stem for path in CONFIGS] == sorted(RESOLVED)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_configurations_that_ship_resolve_as_before(path: Path, tmp_path: Path):
    experiment = read_experiment(path)
    now, before = plain(experiment), dict(RESOLVED[path.stem])
    config = importlib.import_module(f"vis.models.{before['model']['name']}").Config
    of_model = {**RENAMED["model"], **getattr(config, "RENAMED", {})}
    for section, names in {**RENAMED, "model": of_model}.items():
        before[section] = renamed(before[section], names)
    # settings that version 0.1 did not have
    before["evaluation"] = before["evaluation"] | {"frames_prefix": {}}
    before["training"] = before["training"] | {"compile": False}
    for source in before["data"]["sources"]:
        source["frames_prefix"] = {}
    assert now == before
    again = tmp_path / "config.yaml"
    again.write_text(text_of(experiment))
    assert read_experiment(again) == experiment


@pytest.mark.filterwarnings("ignore::vis.errors.VisWarning")
@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_run_of_the_release_before_goes_on(path: Path, tmp_path: Path):
    """Its `config.yaml` has every setting by its old name, and tables as JSON."""
    old = RESOLVED[path.stem]
    table = {**old, "model": {**old["model"], **old["model"]["settings"]}}
    del table["model"]["settings"]
    config = tmp_path / "config.yaml"
    config.write_text("".join(f"{name}: {json.dumps(value)}\n" for name, value in table.items()))
    assert read_experiment(config) == read_experiment(path)


def test_dotted_names_win(config: Path):
    changes = [
        *("--training.steps", "7", "--optimisation.lr=2e-4", "--data.stride", "[1, 3]"),
        *("--data.augmentation.jitter.side=64", "--data.augmentation.colours=null"),
        *("--optimisation.lr_factors.head=0.5", "--model.dropout", "0.25", "--training.steps=8"),
    ]
    experiment = read_experiment(config, changes)
    assert experiment.training.steps == 8 and experiment.optimisation.lr == 2e-4
    assert experiment.data.stride == (1, 3) and experiment.data.augmentation.colours is None
    assert experiment.data.augmentation.jitter is not None
    assert experiment.data.augmentation.jitter.side == 64
    assert experiment.optimisation.lr_factors == {"head": 0.5}
    assert experiment.model.settings["dropout"] == 0.25


def test_the_model_may_be_chosen_by_its_dotted_name(tmp_path: Path):
    path = tmp_path / "c.yaml"
    path.write_text("data: {sources: [{path: x}]}\n")
    assert read_experiment(path).model.name == "tt_srn"
    experiment = read_experiment(path, ["--model.name", "segmenter", "--model.patch=32"])
    assert experiment.model.name == "segmenter" and experiment.model.settings == {"patch": 32}
    with pytest.raises(UsageError, match=r"model\.patch"):
        read_experiment(path, ["--model.patch=32"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (["--training.steps.x=1"], "training.steps has no settings"),
        (["--data.sources.x=1"], "x"),
        (["--training=3"], "training is 3, not a table"),
        (["--model={name: detr}"], "--model.NAME VALUE"),
        (["--zzz=3"], "no setting zzz"),
        (["--optimisation.lr=.inf"], "optimisation.lr"),
        (["--optimisation.lr=-1"], "optimisation.lr is -1, not a finite number"),
        (["--training.ema_decay=1"], "training.ema_decay"),
        (["--evaluation.batch=0"], "evaluation.batch is 0"),
        (["--data.augmentation.jitter.lowest=3"], "jitter goes from 3"),
        (["steps=3"], "no setting"),
    ],
)
def test_faults_of_dotted_names(config: Path, changes: list[str], words: str):
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        read_experiment(config, changes)


def test_the_configuration_is_printed_and_nothing_else_is_done(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    config.write_text(config.read_text().replace("instances.json", "nowhere.json"))
    before = sorted(tmp_path.iterdir())
    command = ["train", "-c", str(config), "--print-config", "--training.steps", "9"]
    assert main([*command, "--init", "a: b"]) == 0
    table = parse_yaml(capsys.readouterr().out)
    assert table["training"]["steps"] == 9 and table["training"]["log_every"] == 1
    assert "a: b" in table["model"].values()
    (tmp_path / "again.yaml").write_text(text_of(read_experiment(config)))
    assert main(["train", "-c", str(tmp_path / "again.yaml"), "--print-config"]) == 0
    assert capsys.readouterr().out == (tmp_path / "again.yaml").read_text()
    (tmp_path / "again.yaml").rename(tmp_path / "config.yaml")
    assert main(["train", "--resume", str(tmp_path), "--print-config"]) == 0
    (tmp_path / "config.yaml").unlink()
    assert sorted(tmp_path.iterdir()) == before


def test_the_manual_page_needs_no_torch():
    code = (
        "import sys; from vis.cli import main; main(['train', '--help']);"
        "sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0
    for name in ("training.log_every", "data.sources[].path", "evaluation.best", "model.NAME"):
        assert f"--{name}\n" in done.stdout, name
