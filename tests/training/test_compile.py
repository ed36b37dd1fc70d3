"""`training.compile`: a compiled model takes the steps that it takes uncompiled."""

import json
from functools import partialmethod
from pathlib import Path
from types import ModuleType

import pytest
import torch

from vis.training.config import Training


# torch's own tracing looks at gradients of inner tensors, of which it warns
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_compiled_steps_have_the_losses_of_uncompiled_ones(
    squares: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    # the graphs are traced, cut and run; the default backend needs a compiler of C++
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph

    compiled = partialmethod(torch.nn.Module.compile, backend=backend)
    monkeypatch.setattr(torch.nn.Module, "compile", compiled)
    losses = []
    for compile_model in (False, True):
        folder = tmp_path / str(compile_model)
        training = Training(steps=2, log_every=1, compile=compile_model)
        squares.loop(folder, training, model=squares.small(dropout=0.0, sine_dropout=0.0))()
        lines = (folder / "log.jsonl").read_text().splitlines()
        losses.append([json.loads(line)["loss"] for line in lines])
        assert bool(graphs) == compile_model
    torch._dynamo.reset()
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
