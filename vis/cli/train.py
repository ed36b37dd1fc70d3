"""`vis train`: train a model by a YAML and settings on the command line, or go on with a run."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vis.cli.arguments import Command
from vis.errors import EXIT_OK, UsageError, printable

if TYPE_CHECKING:
    from vis.training.experiment import Experiment


def train(
    *,
    config: str | None = None,
    output: str | None = None,
    resume: str | None = None,
    init: str | None = None,
    dry_run: bool = False,
    print_config: bool = False,
    settings: list[str],
) -> int:
    """Train a model, or go on with a run.

    The YAML states what differs from the defaults; any setting may be given by its dotted name
    too, such as `--training.steps 1000`, and wins. The settings of the model's own file are
    `--model.NAME VALUE`; lists are written `[1,2]`. The folder of the run gets `config.yaml`,
    which repeats it, `log.jsonl`, `checkpoints` and, at the end, `model.safetensors`. SIGTERM and
    Ctrl-C finish the step and save; a run that was killed goes on from its last checkpoint and, on
    a CPU, ends with the same numbers. Several processes train together under `torchrun`:
    `torchrun --nproc-per-node 8 --max-restarts 3 -m vis train -c CONFIG.yaml -o RUN`, which starts
    all again, from the last checkpoint, where one was lost.

    Args:
        config: YAML of the experiment.
        output: Folder of a new run.
        resume: Folder of a run to go on with; settings given beside it hold from now on.
        init: Weights to begin with, where they fit: a file, or imagenet for the backbone's.
        dry_run: Take three steps, write nothing, tell size, memory, time and schedule.
        print_config: Print the YAML of all settings, defaults included, and do nothing else.
        settings: Dotted names and values.
    """
    if (config is None) == (resume is None):
        raise UsageError(
            "give either -c CONFIG.yaml or --resume RUN", remedy="See vis train --help"
        )
    if config is None and dry_run:
        raise UsageError("a dry run is of -c CONFIG.yaml, not of --resume")
    if (output is None) != (config is None or dry_run or print_config):
        raise UsageError("-o RUN names the folder of a new run; -c needs it, nothing else has it")
    if init is not None:
        if resume is not None:
            raise UsageError("--init is of a new run; one that goes on has its weights")
        # quoted, as the value of a setting is read as YAML
        settings = [*settings, f"--model.init_from={json.dumps(init)}"]
    if print_config:
        return _print_config(config, resume, settings)
    if resume is not None:
        from vis.training.run import go_on

        go_on(resume, settings)
        return EXIT_OK
    assert config is not None
    from vis.training.experiment import read_experiment

    experiment = read_experiment(config, settings)
    return _dry_run(experiment) if output is None else _begin(experiment, output)


def _print_config(config: str | None, resume: str | None, settings: list[str]) -> int:
    from vis.training.experiment import CONFIG, read_experiment, text_of

    path = Path(resume, CONFIG) if config is None and resume is not None else config
    assert path is not None
    sys.stdout.write(text_of(read_experiment(path, settings)))
    return EXIT_OK


def _begin(experiment: Experiment, output: str) -> int:
    from vis.training.run import begin

    begin(experiment, output)
    return EXIT_OK


def _dry_run(experiment: Experiment) -> int:
    from vis.training.run import dry_run

    for line in str(dry_run(experiment)).splitlines():
        sys.stdout.write(f"{printable(line)}\n")
    return EXIT_OK


def _settings_help() -> str:
    from vis.training.experiment import Experiment
    from vis.training.settings_help import settings_help

    return settings_help(Experiment).replace("--model.settings", "--model.NAME")


COMMAND = Command(
    train,
    """
    vis train -c configs/tt_srn_tiny.yaml -o runs/tiny
    vis train -c configs/tt_srn_tiny.yaml -o runs/fast --training.steps 300 --model.dropout 0
    vis train -c configs/tt_srn_tiny.yaml -o runs/again --init runs/tiny/model.safetensors
    vis train -c configs/vistr_youtube_vis_2019.yaml --dry-run
    vis train -c configs/vistr_youtube_vis_2019.yaml --training.steps 100 --print-config
    vis train --resume runs/tiny --training.steps 2000
    torchrun --nproc-per-node 8 -m vis train -c configs/detr_coco.yaml -o runs/detr
    """,
    settings_help=_settings_help,
)
