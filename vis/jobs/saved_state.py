"""The state of a run on disk: JSON beside safetensors, whole or not there; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from vis.storage.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from torch import Tensor

MAX_STATES = 4
"""States that stay: the newest may tell of frames that the encoder still held back."""
_NAME = re.compile(r"state-(\d{8,})\.json")
_TENSOR = "tensor of this state"


def save_state(folder: Path, number: int, value: dict[str, Any]) -> None:
    """Write a state; older ones than the last few go.

    Args:
        folder: to write into.
        number: larger than those before.
        value: of plain values, lists, dicts with text as keys, and tensors.

    Raises:
        OutputError: it cannot be written; the states before are untouched.
    """
    tensors: dict[str, Tensor] = {}
    plain = _without(value, tensors)
    path = folder / f"state-{number:08d}.json"
    content = save(tensors)
    text = json.dumps(plain, allow_nan=False)
    sealed = {"value": plain, "json": _sha(text.encode()), "tensors": _sha(content)}
    # the numbers first: the JSON that names their digest makes the state valid
    write_whole(path.with_suffix(".safetensors"), content, overwrite=True)
    write_whole(path, json.dumps(sealed, allow_nan=False).encode(), overwrite=True)
    _forget(_states_in(folder)[:-MAX_STATES])


def forget_states_after(folder: Path, number: int) -> None:
    """Delete those newer than the one that is gone on from."""
    _forget([one for one in _states_in(folder) if one[0] > number])


def saved_states(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number and value of each state that is whole, the newest first."""
    for number, path in reversed(_states_in(folder)):
        with suppress(OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError):
            sealed = json.loads(path.read_bytes())
            content = path.with_suffix(".safetensors").read_bytes()
            plain = sealed["value"]
            text = json.dumps(plain, allow_nan=False)
            if (_sha(text.encode()), _sha(content)) == (sealed["json"], sealed["tensors"]):
                yield number, _within(plain, load(content))


def _states_in(folder: Path) -> list[tuple[int, Path]]:
    matches = ((_NAME.fullmatch(path.name), path) for path in folder.glob("state-*.json"))
    return sorted((int(match[1]), path) for match, path in matches if match)


def _forget(states: Iterable[tuple[int, Path]]) -> None:
    for _, path in states:
        path.unlink(missing_ok=True)
        path.with_suffix(".safetensors").unlink(missing_ok=True)


def _without(value: Any, tensors: dict[str, Tensor]) -> Any:
    """`value` with a reference in place of each tensor, which `tensors` takes."""
    if isinstance(value, torch.Tensor):
        name = str(len(tensors))
        tensors[name] = value.detach().cpu().contiguous()
        return {_TENSOR: name}
    if isinstance(value, dict):
        assert all(isinstance(key, str) for key in value), "JSON would make text of other keys"
        return {key: _without(inner, tensors) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without(inner, tensors) for inner in value]
    return value


def _within(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_TENSOR}:
            return tensors[value[_TENSOR]]
        return {key: _within(inner, tensors) for key, inner in value.items()}
    return [_within(inner, tensors) for inner in value] if isinstance(value, list) else value


def _sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
