"""Several training processes divide by the mean of their counts."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
import torch
from torch import distributed
from vis.losses.set_loss import mean_over_ranks

rank, store = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
count = torch.tensor([3.0, 8.0][rank])
print(mean_over_ranks(count).item(), mean_over_ranks(torch.tensor(0)).item(), count.item())
distributed.destroy_process_group()
"""


def test_two_processes_divide_by_the_mean_count(tmp_path: Path) -> None:
    running = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(rank), str(tmp_path / "store")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in running]
    assert said == [["5.5", "1.0", "3.0"], ["5.5", "1.0", "8.0"]]
