"""From a traced graph to a program of `torch.export` and a file of ONNX."""

from __future__ import annotations

import importlib
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from vis.errors import DeviceError
from vis.export.step import program_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch.export import ExportedProgram

    from vis.export.step import Step

OPSET = 20


def exported(step: Step) -> ExportedProgram:
    """The program, which `torch.export.load` reads again; see `program_of`."""
    with _quiet():
        return program_of(step)


def write_program(program: ExportedProgram, path: Path) -> None:
    """A file of `torch.export`, with all weights."""
    with _quiet():  # weights that lie in views are written whole
        torch.export.save(program, str(path))


def write_onnx(program: ExportedProgram, step: Step, path: Path) -> None:
    """One file with all weights.

    Raises:
        DeviceError: `onnx` and `onnxscript` are not installed.
    """
    table: dict[Any, Any] = {torch.ops.aten.sort.stable: _stable_sort()}
    with _quiet():
        result = torch.onnx.export(
            program,
            step.example,
            dynamo=True,
            input_names=list(step.inputs),
            output_names=step.names,
            opset_version=OPSET,
            custom_translation_table=table,
            optimize=False,
            verbose=False,
        )
        assert result is not None
        _simplify(result.model)
        result.save(str(path), external_data=False)


def _simplify(model: Any) -> None:
    # What onnxscript's own optimiser does besides, onnxruntime does too; but one of its rules
    # looks at every pair of nodes, which takes a minute where there are thousands.
    optimizer, passes = _imported("onnxscript.optimizer"), _imported("onnx_ir.passes.common")
    optimizer.inline(model)
    optimizer.fold_constants(model, onnx_shape_inference=True)
    optimizer.remove_unused_nodes(model)
    for name in ("LiftConstantsToInitializers", "CommonSubexpressionElimination", "OutputFix"):
        getattr(passes, f"{name}Pass")()(model)


def _stable_sort() -> Any:
    """`aten::sort.stable` by TopK, which puts the earlier of equal values first."""
    op = _imported("onnxscript").opset20

    def sort(x: Any, *, stable: bool = False, dim: int = -1, descending: bool = False) -> Any:
        del stable
        length = op.Gather(op.Shape(x), op.Constant(value_ints=[dim]))
        return op.TopK(x, length, axis=dim, largest=int(descending), sorted=1)

    return sort


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DeviceError(
            f"models are exported by onnx and onnxscript, which cannot be loaded ({error})",
            remedy="Install them: pip install 'vis-kit[export]', from a copy of the project.",
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says to its own developers."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
