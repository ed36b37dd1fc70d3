#!/usr/bin/env python3
r"""Some of the classes of a SOTR alone: those that it is to know, not those it only learnt beside.

    python scripts/keep_classes.py RUN/model.safetensors out/eight.safetensors --size 160

Each class has a row of its own in the head, and its score depends on no other: what the model says
of the classes that stay is unchanged, but for what `--shift` adds to all logits: a focal loss
leaves scores lower than what they are worth.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from make_default import CLASSES

from vis import models, weights
from vis.errors import DataError, VisError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vis.models import Model

HEADS = ("class_head.", "pixel_head.")


def main() -> int:
    """Write the file, or say why not."""
    asked = _arguments()
    try:
        model = only(weights.load(asked.weights), asked.classes, keep=asked.keep)
        model.size = asked.size or model.size
        with torch.no_grad():
            model.get_parameter("class_head.bias").add_(asked.shift)
        weights.save_model(asked.out, model)
    except VisError as error:
        print(f"{error}", file=sys.stderr)
        return error.exit_code
    print(f"wrote {asked.out}")
    return 0


def only(model: Model[Any], classes: Sequence[str], *, keep: int | None = None) -> Model[Any]:
    """A model of these classes, in their order.

    Args:
        model: that knows them.
        classes: by name.
        keep: the most answers of a frame; None for as many as before.

    Raises:
        DataError: it does not know one of them, or its classes depend on one another.
    """
    if model.name != "sotr":
        raise DataError(f"the classes of a {model.name} depend on one another")
    missing = [name for name in classes if name not in model.class_names]
    if missing:
        raise DataError(f"it does not know {missing[0]!r} but {', '.join(model.class_names)}")
    changed = {"classes": len(classes), "keep": keep or model.config.keep}
    settings = dataclasses.asdict(model.config) | changed
    kept = models.build(model.name, **settings)
    rows = [model.class_names.index(name) for name in classes]
    state = model.state_dict()
    kept.load_state_dict(
        {name: tensor[rows] if name.startswith(HEADS) else tensor for name, tensor in state.items()}
    )
    kept.class_names, kept.size = tuple(classes), model.size
    return kept.eval()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path, help="of a SOTR")
    parser.add_argument("out", type=Path)
    parser.add_argument("--classes", nargs="+", default=CLASSES, help="the eight of the default")
    parser.add_argument("--shift", type=float, default=0.0, help="added to the logits of classes")
    parser.add_argument("--keep", type=int, help="the most answers of a frame; fewer are faster")
    parser.add_argument("--size", type=int, help="pixels of the short side that it sees by itself")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
