"""Published checkpoints: good ones are read right, the hostile and damaged refused, none run."""

import argparse
import collections
import io
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.conftest import PATIENCE
from vis.errors import DataError, InputError, OutputError, VisError
from vis.weights import torch_file
from vis.weights.torch_file import read_published

WATCHED = """
import random, sys
import torch
from pathlib import Path
from vis.errors import DataError
from vis.weights.torch_file import read_published

count, paths = int(sys.argv[1]), [Path(word) for word in sys.argv[2:]]
sources = {path: path.read_bytes() for path in paths[:2]}
true = {path: read_published(path).tensors for path in sources}
events = []
b"x".decode("cp437")  # zipfile asks for this codec where a name is not ASCII

def watch(event, arguments):
    if event.split(".")[0] in ("exec", "compile", "import", "os", "subprocess", "socket", "pickle"):
        events.append(event if event != "import" else "import:" + arguments[0])
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        events.append(event)

def mutated(good):
    data = bytearray(good)
    for _ in range(random.choice((1, 1, 2, 8))):
        at = random.randrange(len(data))
        match random.randrange(6):
            case 0: data[at] ^= 1 << random.randrange(8)
            case 1: data[at] = random.randrange(256)
            case 2: del data[at : at + random.randrange(1, 9)]
            case 3: data[at:at] = data[at : at + random.randrange(1, 99)]
            case 4: data[at : at + 8] = bytes(8)
            case 5: del data[max(at, 16):]
    return bytes(data)

def read(file):
    try:
        return read_published(file).tensors
    except DataError as error:
        assert str(file) in str(error) and error.what, error

random.seed(7)
files = [(path, path.with_suffix(f".{i}")) for path in sources for i in range(count)]
for path, file in files:
    file.write_bytes(mutated(sources[path]))
sys.addaudithook(watch)
refused = 0
for path, file in files:
    found = read(file)
    refused += found is None
    if found is not None and path == paths[0]:
        same = found.keys() == true[path].keys()
        same = same and all(torch.equal(found[key], value) for key, value in true[path].items())
        assert same, "a damaged zip was read wrong"
print(refused, sum(read(file) is None for file in paths[2:]), *events)
"""


class Command:
    """What a hostile checkpoint holds: unpickling it runs a command."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self.mark}",)


def checkpoint() -> dict[str, object]:
    state = collections.OrderedDict(
        {
            "a.weight": torch.arange(6.0).reshape(2, 3),
            "a.bias": torch.nn.Parameter(torch.tensor([1.5, -2.0])),
            "count": torch.tensor(7),
            "turned": torch.arange(6, dtype=torch.int32).reshape(2, 3).t(),
            "half": torch.ones(2, dtype=torch.float16),
            "flags": torch.tensor([True, False]),
            "none": torch.empty(0, 4),
        }
    )
    return {
        "model": state,
        "args": argparse.Namespace(lr=1e-4, name="résumé", device=torch.device("cpu"), size=None),
        "epoch": 12,
        "best": np.float64(0.25),
        "numbers": np.arange(3, dtype=np.int64),
        "flag": np.bool_(True),
        "scheduler": {"milestones": collections.Counter([3, 3, 5]), "gamma": 0.1, "seen": {1, 2}},
    }


def save(path: Path, value: object, *, protocol: int = 2, legacy: bool = False) -> Path:
    torch.save(value, path, pickle_protocol=protocol, _use_new_zipfile_serialization=not legacy)
    return path


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("legacy", [False, True])
def test_good_files_are_read_right(tmp_path: Path, protocol: int, legacy: bool) -> None:
    value = checkpoint()
    found = read_published(save(tmp_path / "x.pth", value, protocol=protocol, legacy=legacy))
    state = value["model"]
    assert isinstance(state, dict)
    assert list(found.tensors) == list(state)
    for name, tensor in state.items():
        assert found.tensors[name].dtype == tensor.dtype
        assert torch.equal(found.tensors[name], tensor.detach()), name
    args = found.metadata["args"]
    assert args.kind == "argparse.Namespace"
    assert args.fields["lr"] == 1e-4 and args.fields["name"] == "résumé"
    assert found.metadata["epoch"] == 12 and found.metadata["best"] == 0.25
    assert found.metadata["flag"] is True
    assert found.metadata["scheduler"] == {"milestones": {3: 2, 5: 1}, "gamma": 0.1, "seen": {1, 2}}
    assert "numbers" not in found.metadata


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles_of_arrays_are_read(tmp_path: Path, protocol: int) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.asfortranarray(np.eye(3))}
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"model": arrays, "__author__": "x"}, protocol))
    found = read_published(path)
    assert found.metadata == {"__author__": "x"}
    for name, array in arrays.items():
        assert np.array_equal(found.tensors[name].numpy(), array)


def test_commands_and_forged_arrays_are_refused(tmp_path: Path) -> None:
    for path in hostile(tmp_path):
        with pytest.raises(DataError, match=r"posix\.system|nt\.system|only plain numbers"):
            read_published(path)
    assert not (tmp_path / "ran").exists()


def hostile(folder: Path) -> list[Path]:
    """Checkpoints that would touch the file `ran` in their folder, and one forged array."""
    paths = [folder / "forged.pkl"]
    paths[0].write_bytes(forged_array())
    for legacy in (False, True):
        for place in ("model", "args"):
            value = {**checkpoint(), place: Command(folder / "ran")}
            paths.append(save(folder / f"{place}{legacy}.pth", value, legacy=legacy))
    return paths


def test_a_watched_child_reads_mutations_and_hostile_files_and_runs_nothing(tmp_path: Path) -> None:
    good = [
        save(tmp_path / f"x{legacy}.pth", checkpoint(), legacy=legacy) for legacy in (False, True)
    ]
    arguments = ["1000", *map(str, good + hostile(tmp_path))]
    command = [sys.executable, "-W", "error", "-c", WATCHED, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    refused, stopped, *events = done.stdout.split()
    assert not events
    assert 1000 < int(refused) < 2000 and int(stopped) == 5
    assert not (tmp_path / "ran").exists()


def test_single_bit_flips_in_the_numbers_of_a_zip_are_noticed(tmp_path: Path) -> None:
    weights = torch.arange(64, dtype=torch.float32)
    path = save(tmp_path / "x.pth", {"model": {"w": weights}})
    good = path.read_bytes()
    start = good.index(weights.numpy().tobytes())
    for at in range(start, start + 256):
        path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
        with pytest.raises(DataError, match="CRC"):
            read_published(path)


def zip_of(pickled: bytes, data: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        archive.writestr("x/data.pkl", pickled)
        for key, content in data.items():
            archive.writestr(f"x/data/{key}", content)
    return stream.getvalue()


def tensor_pickle(
    *, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], count: int
) -> bytes:
    """The pickle of {"model": {"w": a float32 tensor on storage "0"}}, written by hand."""

    def tuple_of(values: tuple[int, ...]) -> bytes:
        return b"(" + b"".join(b"\x8a\x09" + v.to_bytes(9, "little") for v in values) + b"t"

    def text(word: str) -> bytes:
        return b"X" + struct.pack("<I", len(word)) + word.encode()

    storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text("0") + text("cpu")
    storage += b"\x8a\x09" + count.to_bytes(9, "little") + b"tQ"
    number = b"\x8a\x09" + offset.to_bytes(9, "little")
    arguments = b"(" + storage + number + tuple_of(shape) + tuple_of(stride) + b"\x89Nt"
    tensor = b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"
    return b"\x80\x02}" + text("model") + b"}" + text("w") + tensor + b"ss."


def test_the_hand_written_tensor_is_a_good_one(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    pickled = tensor_pickle(offset=1, shape=(2, 2), stride=(2, 1), count=6)
    path.write_bytes(zip_of(pickled, {"0": np.arange(6, dtype=np.float32).tobytes()}))
    assert read_published(path).tensors["w"].tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("shape", "stride", "offset", "count", "reason"),
    [
        ((10**6, 10**6), (0, 0), 0, 1, "expands"),
        ((2, 3), (3, 1), 1, 6, "beyond"),
        ((2,), (1 << 39,), 0, 6, "beyond"),
        ((1 << 45,), (1,), 0, 6, "numbers from 0"),
        ((2,), (1, 1), 0, 6, "strides"),
        ((6,), (1,), 0, 7, "24 bytes, not 28"),
        ((6,), (1,), 0, 1 << 50, "not a torch storage"),
        ((1,) * 20, (1,) * 20, 0, 6, "at most 16"),
    ],
)
def test_tensors_outside_their_storage_are_refused(
    tmp_path: Path,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    offset: int,
    count: int,
    reason: str,
) -> None:
    path = tmp_path / "x.pth"
    pickled = tensor_pickle(offset=offset, shape=shape, stride=stride, count=count)
    path.write_bytes(zip_of(pickled, {"0": bytes(24)}))
    with pytest.raises(DataError, match=reason):
        read_published(path)


def forged_array() -> bytes:
    """Integers renamed to objects: numpy would follow them as pointers."""
    honest = pickle.dumps({"model": {"w": np.arange(4, dtype=np.int64)}}, 2)
    assert honest.count(b"i8") == 1
    return honest.replace(b"X\x02\0\0\0i8", b"X\x02\0\0\0O8")


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.", "bytearray"),
        (b"\x80\x02ctorch.storage\n_load_from_bytes\n.", "_load_from_bytes"),
        (b"\x80\x02cbuiltins\neval\nX\x01\0\0\x001\x85R.", "eval"),
        (b"\x80\x02cbuiltins\nlist\n)R.", "not to be called"),
        (b"\x80\x02X\x01\0\0\0a)R.", "not to be called"),
        (b"\x80\x02]r\xff\xff\xff\xffj\xfe\xff\xff\xff.", "never stored"),
        (b"\x80\x02}]Ks.", "dictionary|stack"),
        (b"\x80\x02}))s.", "key"),
        (b"\x80\x02" + b"(" * 2000 + b".", "deep"),
        (b"\x80\x02" + b"N0" * 600_000 + b"N.", "operations"),
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x7f.", "BYTEARRAY8"),
        (b"\x80\x05\x97.", "NEXT_BUFFER"),
        (b"\x80\x02\x82\x01.", "EXT1"),
        (b"\x80\x02(ios\nsystem\n.", "INST"),
        (b"\x80\x02NN.", "leaves"),
        (b"\x80\x02K\x01.", "holds a int"),
        (b"\x80\x02}.", "no dictionary of tensors"),
    ],
)
def test_pickles_that_weights_do_not_need_are_refused(
    tmp_path: Path, program: bytes, reason: str
) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(program)
    with pytest.raises(DataError, match=reason):
        read_published(path)


def test_a_pickle_cannot_multiply_its_content(tmp_path: Path) -> None:
    text = b"X\x10\x27\0\0" + b"a" * 10_000 + b"q\x00"
    encode = b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R0"
    path = tmp_path / "x.pkl"
    path.write_bytes(b"\x80\x02" + text + encode * 1000 + b".")
    with pytest.raises(DataError, match="than it holds"):
        read_published(path)


def test_repacked_archives_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    pickled = tensor_pickle(offset=0, shape=(6,), stride=(1,), count=6)
    path.write_bytes(zip_of(pickled, {"0": bytes(24)}, zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match="compressed"):
        read_published(path)
    path.write_bytes(zip_of(pickled, {}))
    with pytest.raises(DataError, match="missing"):
        read_published(path)
    path.write_bytes(zip_of(pickled, {"0": bytes(24), "/../constants.pkl": b""}))
    with pytest.raises(DataError, match="TorchScript"):
        read_published(path)


def test_big_endian_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps({"model": {"w": np.arange(3, dtype=">f4")}}, 2))
    with pytest.raises(DataError, match="little-endian"):
        read_published(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\n<!DOCTYPE html><html><body>Quota exceeded</body></html>", "HTML or XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "Git LFS pointer"),
        (b"\x1f\x8b\x08\0", "gzip"),
        (b'{"model": 1}', "JSON"),
        (b"PK\x03\x04" + bytes(100), "damaged or cut short"),
        (b"\0" * 257 + b"ustar" + b"\0" * 300, "tar archive"),
        (b"hello world, this is text", "no weight file"),
        (b"\x02\0\0\0\0\0\0\0{}", "safetensors"),
    ],
)
def test_strangers_are_named(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(DataError, match=reason) as caught:
        read_published(path)
    assert str(path) in str(caught.value)


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    for legacy in (False, True):
        path = save(tmp_path / "x.pth", {"model": {"w": torch.ones(3)}}, legacy=legacy)
        for length in reversed(range(path.stat().st_size)):
            os.truncate(path, length)
            with pytest.raises(DataError):
                read_published(path)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_published(tmp_path / "absent.pth")
    with pytest.raises(InputError, match="Is a directory"):
        read_published(tmp_path)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(InputError, match="not a regular file"):
        read_published(pipe)
    assert issubclass(InputError, VisError) and not issubclass(InputError, OutputError)


def test_the_size_limit_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "x.pth", {"model": {"w": torch.ones(3)}})
    monkeypatch.setattr(torch_file, "MAX_FILE", 100)
    with pytest.raises(DataError, match="at most 100"):
        read_published(path)
