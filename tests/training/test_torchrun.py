"""`torchrun -m vis train`: processes that share, evaluate together, are lost and begin again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import PATIENCE
from vis import weights
from vis.training import checkpoint

ROOT = Path(__file__).parents[2]


def test_where_a_process_is_lost_all_begin_again_and_go_on(
    config: Path, data: Path, tmp_path: Path
):
    run = tmp_path / "run"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
            "--max-restarts", "1", "--standalone",
            "-m", "vis", "train", "-c", config, "-o", run, "--training.parallel", "fsdp",
            "--training.ema_decay", "0.5", "--training.save_every", "1",
            "--training.evaluate_every", "2", "--evaluation.data", data / "instances.json",
            "--evaluation.size", "32",
        ],
        stderr=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if line.startswith("step 3/4"):
                break
        os.kill(json.loads((run / "run.lock").read_text())["pid"], signal.SIGKILL)
        _, rest = process.communicate(timeout=PATIENCE)
    finally:
        if process.poll() is None:
            process.terminate()  # torchrun ends the others
            process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, rest
    lines = {
        name: [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
        for name in ("log", "evaluation")
    }
    assert [line["step"] for line in lines["log"]] == [1, 2, 3, 4]
    assert [line["step"] for line in lines["evaluation"]] == [2, 4]
    found = checkpoint.newest(run / "checkpoints")
    assert found is not None and found.step == 4
    assert found.score == lines["evaluation"][-1]["numbers"]["AP"]
    best = weights.load(found.path / "average.safetensors").state_dict()
    for name, value in weights.load(run / "model.safetensors").state_dict().items():
        assert value.equal(best[name])
    assert not (run / "evaluation.part").exists()
