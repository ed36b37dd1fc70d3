"""Frozen graphs: variables come out, constants stay, and no damage does more than be refused."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.weights.graphs import attribute, constant, field, graph, node, tensor, variable, varint
from vis.cli import main
from vis.errors import DataError, InputError
from vis.weights import graph_file
from vis.weights.graph_file import graph_of, looks_like_graph, read_graph

VALUES = {
    "FeatureExtractor/Conv/weights": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "FeatureExtractor/Conv/biases": np.float32([0.5, -1.5]),
    "scale": np.float32(3.25),
}


def read(content: bytes) -> dict[str, torch.Tensor]:
    return graph_of(memoryview(content)).tensors


def test_variables_come_out_and_constants_stay(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph(VALUES))
    assert looks_like_graph(path.read_bytes()[:512])
    found = read_graph(path)
    assert found.format == "tensorflow graph" and set(found.tensors) == set(VALUES)
    for name, values in VALUES.items():
        assert found.tensors[name].dtype == torch.float32
        assert np.array_equal(found.tensors[name].numpy(), values)
    found.tensors["scale"].add_(1)  # its memory is its own


def test_inspect_tells_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph(VALUES))
    assert main(["weights", "inspect", str(path), "--tensors"]) == 0
    out = capsys.readouterr().out
    assert "tensorflow graph, 3 tensors, 27 numbers" in out
    assert "FeatureExtractor/Conv/weights" in out and "grid" not in out


def test_the_order_of_nodes_and_of_fields_does_not_count() -> None:
    held = tensor(np.float32([1, 2]))
    swapped = field(2, b"Const") + attribute("value", field(8, held)) + field(1, b"w")
    content = node("w/read", "Identity") + field(1, swapped)
    assert read(content)["w"].tolist() == [1, 2]


def test_every_truncation_is_refused_or_has_fewer_variables() -> None:
    whole = graph(VALUES)
    for length in range(len(whole)):
        try:
            found = read(whole[:length])
        except DataError:
            continue
        assert set(found) <= set(VALUES)


@pytest.mark.parametrize("change", [0x01, 0x80, 0xFF])
def test_damage_at_every_byte_is_refused_or_harmless(change: int) -> None:
    whole = bytearray(graph(VALUES))
    for place in range(len(whole)):
        whole[place] ^= change
        try:
            for value in read(bytes(whole)).values():
                assert value.dtype == torch.float32
        except DataError:
            pass
        looks_like_graph(bytes(whole[:512]))
        whole[place] ^= change


def test_noise_is_refused() -> None:
    draw = np.random.default_rng(0)
    for length in (1, 10, 100, 1000):
        for _ in range(200):
            with pytest.raises(DataError):
                read(draw.bytes(length))


def test_lengths_beyond_the_end_take_no_memory_and_no_time() -> None:
    begun = time.process_time()
    for length in (1 << 31, 1 << 62, (1 << 70) - 1):
        for content in (
            varint(1 << 3 | 2) + varint(length),
            field(1, varint(1 << 3 | 2) + varint(length) + b"name"),
        ):
            with pytest.raises(DataError, match="cut short"):
                read(content)
    assert time.process_time() - begun < 1


def test_a_number_that_never_ends_is_refused() -> None:
    for content in (b"\xff" * 100_000, b"\x0a" + b"\x80" * 100_000, field(1, b"\xff" * 1000)):
        with pytest.raises(DataError, match="cut short"):
            read(content)


@pytest.mark.parametrize("kind", [3, 4, 6, 7])
def test_groups_and_unknown_wire_types_are_refused(kind: int) -> None:
    with pytest.raises(DataError, match="no graph"):
        read(varint(1 << 3 | kind) + bytes(8))


def test_two_nodes_of_one_name_are_refused() -> None:
    one = variable("w", tensor(np.float32([1])))
    with pytest.raises(DataError, match="two nodes are called 'w'"):
        read(one + one)


def test_other_numbers_than_float32_are_refused() -> None:
    for kind in (2, 3, 9, 19):
        held = field(1, kind) + field(2, field(2, field(1, 1))) + field(4, bytes(4))
        with pytest.raises(DataError, match="'w' is not of float32 numbers"):
            read(variable("w", held))
        # of a constant that no variable is, nothing is asked
        assert set(read(graph(VALUES) + constant("c", held))) == set(VALUES)


def test_single_numbers_are_refused_clearly() -> None:
    """TensorFlow writes a tensor of one number as `float_val` (5), packed or not."""
    shape = field(1, 1) + field(2, field(2, field(1, 1)))
    four = np.float32(1.5).tobytes()
    for single in (field(5, four), varint(5 << 3 | 5) + four, b"", field(4, b"")):
        with pytest.raises(DataError, match=r"'w' has single numbers \(float_val\) or none.*anew"):
            read(variable("w", shape + single))


@pytest.mark.parametrize(
    "shape", [(3,), (2, 3), (1 << 39, 1 << 39), (1 << 63, 2), (0,), (2,) * 9, (1,) * 5000]
)
def test_shapes_that_do_not_fit_are_refused(shape: tuple[int, ...]) -> None:
    sides = b"".join(field(2, field(1, side)) for side in shape)
    held = field(1, 1) + field(2, sides) + field(4, np.float32([1, 2]).tobytes())
    with pytest.raises(DataError, match="'w' has 8 bytes for the shape") as caught:
        read(variable("w", held))
    assert len(str(caught.value)) < 400


def test_no_variables_names_the_file_that_is_wanted(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(constant("c", tensor(np.float32([1]))))
    with pytest.raises(DataError, match=r"graph\.pb: .*without variables.*frozen_inference_graph"):
        read_graph(path)
    with pytest.raises(InputError, match="cannot be opened"):
        read_graph(tmp_path / "absent.pb")


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(graph(VALUES))
    for limit, what in (("MAX_FILE", "bytes"), ("MAX_NODES", "nodes"), ("MAX_FIELDS", "fields")):
        with monkeypatch.context() as patch:
            patch.setattr(graph_file, limit, 3)
            with pytest.raises(DataError, match=f"more than 3 {what}"):
                read_graph(path)


def test_a_name_that_is_no_text_is_refused() -> None:
    with pytest.raises(DataError, match="not text"):
        read(field(1, field(1, b"\xff\xfe")))


def test_reading_takes_time_in_proportion() -> None:
    """Four times the nodes, at most some ten times the time."""
    spent = []
    for count in (500, 2000):
        values = {f"w{i}": np.zeros(1, np.float32) for i in range(count)}
        content = graph(values)
        begun = time.process_time()
        assert len(read(content)) == count
        spent.append(time.process_time() - begun)
    assert spent[1] < 10 * spent[0] + 0.5
