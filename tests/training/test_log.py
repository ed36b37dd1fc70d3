"""What a run says of the memory, on systems that tell it in another way or not at all."""

import subprocess
import sys
from pathlib import Path

import torch

from vis.training.log import gibibytes, peak_memory

ROOT = Path(__file__).parents[2]


def test_the_peak_of_this_process_is_told():
    assert 1 << 20 < peak_memory(torch.device("cpu")) < 1 << 50


def test_a_memory_that_nobody_tells_is_unknown():
    assert gibibytes(3 << 29) == "1.5 GiB"
    assert gibibytes(0) == "unknown memory"


WITHOUT = """
import ctypes, sys
from types import SimpleNamespace
sys.modules["resource"] = None  # as on Windows: there is none
import torch
from vis.training.log import peak_memory
assert peak_memory(torch.device("cpu")) == 0

class Process:
    def __call__(self):
        return -1

class Memory:
    def __call__(self, process, counters, size):
        values = ctypes.cast(counters, ctypes.POINTER(ctypes.c_size_t))
        assert process == -1 and size == 9 * ctypes.sizeof(ctypes.c_size_t)
        values[1] = 12345  # behind two numbers of 32 bits
        return 1

ctypes.windll = SimpleNamespace(
    kernel32=SimpleNamespace(GetCurrentProcess=Process(), K32GetProcessMemoryInfo=Memory())
)
assert peak_memory(torch.device("cpu")) == 12345
"""


def test_training_can_be_imported_where_there_is_no_module_resource():
    command = [sys.executable, "-c", WITHOUT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
