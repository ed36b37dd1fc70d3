"""Files made to exhaust or to mislead a reader, in every format: refused, soon and with little."""

import importlib.util
import json
import re
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import pytest

from vis.errors import VisError
from vis.formats.checking import check
from vis.formats.opening import open_set
from vis.training.experiment import read_experiment
from vis.video import open_video, probe

SCRIPTS = Path(__file__).parents[2] / "scripts" / "dev"
ANNOTATIONS = (
    *("ytvis", "coco", "davis", "mots", "cvat", "labelme", "yolo", "cocovid", "sav", "burst"),
    *("vipseg", "voc", "labelstudio", "labelstudio min", "via", "semantic"),
)
SIDE = 60_000


@pytest.fixture(scope="module")
def script():
    """`scripts/dev/fuzz_files.py`."""
    sys.path.insert(0, str(SCRIPTS))
    spec = importlib.util.spec_from_file_location("fuzz_files", SCRIPTS / "fuzz_files.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sys.path.remove(str(SCRIPTS))
    return module


@pytest.fixture(scope="module")
def _made(script, tmp_path_factory):
    root = tmp_path_factory.mktemp("sound") / "sets"
    places = script.make_all(root)
    return places, {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def sound(_made):
    """Format -> its sound files, which are mended after the test."""
    places, pristine = _made
    yield places
    for path, content in pristine.items():
        path.write_bytes(content)


def refused(read, *arguments):
    """Refused by an error of ours, within seconds."""
    begun = time.process_time()
    with pytest.raises(VisError) as caught:
        read(*arguments)
    assert time.process_time() - begun < 5
    assert len(str(caught.value)) < 2000
    return str(caught.value)


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def bomb():
    """A sound grey PNG of 60,000 x 60,000 pixels of zero, in two megabytes."""
    rows, pack = bytes(100 * (1 + SIDE // 8)), zlib.compressobj(wbits=-15)
    piece, end = pack.compress(rows) + pack.flush(zlib.Z_FULL_FLUSH), pack.flush()
    total = 1
    for _ in range(SIDE // 100):
        total = zlib.adler32(rows, total)
    content = b"\x78\x9c" + piece * (SIDE // 100) + end + struct.pack(">I", total)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", content) + chunk(b"IEND", b"")


def files(place, suffix):
    root = place if place.is_dir() else place.parent
    return [path for path in sorted(root.rglob("*")) if path.suffix == suffix]


@pytest.mark.parametrize("kind", ["ytvis", "coco", "cocovid", "sav", "burst", "vipseg"])
def test_deep_json_is_refused(sound, kind):
    for text in ("[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000):
        sound[kind].write_text(text)
        assert "nested" in refused(open_set, sound[kind]) or text[-1] != "]"


def test_deep_json_of_labelme_and_label_studio_is_refused(sound):
    for place in (sound["labelstudio"], files(sound["labelme"], ".json")[0]):
        place.write_text('{"shapes":' + "[" * 100_000 + "]" * 100_000 + "}")
        assert "nested" in refused(open_set, place)


def test_deep_yaml_and_deep_xml_are_refused(sound):
    for text in ("[" * 100_000, "a: " * 20_000, "? " * 20_000):
        sound["yaml"].write_text(text)
        refused(read_experiment, sound["yaml"])
        sound["yolo"].write_text(text)
        refused(open_set, sound["yolo"])
    for text in ("<a>" * 100_000, "<annotations>" + "<a>" * 100_000 + "</a>" * 100_000):
        sound["cvat"].write_text(text)
        refused(open_set, sound["cvat"])


@pytest.mark.parametrize("kind", ["davis", "mots", "voc", "semantic", "vipseg"])
def test_masks_in_pictures_of_3_6_gigapixels_are_refused(sound, kind):
    picture = files(sound[kind], ".png")[0]
    picture.write_bytes(bomb())
    assert picture.name in refused(open_set, sound[kind]) or kind == "semantic"
    assert check(sound[kind], read_video_file=probe, decode=True).faults


@pytest.mark.parametrize("kind", ["ytvis", "coco", "yolo"])
def test_frames_of_3_6_gigapixels_are_faults(sound, kind):
    root = sound[kind].parent
    picture = next(path for path in sorted(root.rglob("*.jpg")) if path.is_file())
    picture.write_bytes(bomb())
    begun = time.process_time()
    assert check(sound[kind], read_video_file=probe, decode=True).faults
    assert time.process_time() - begun < 5
    refused(lambda: list(open_video(picture)))


MASKS = [
    {"size": [6, 8], "counts": "_" * 100_000},
    {"size": [60_000, 60_000], "counts": "0"},
    {"size": [2**31, 2**31], "counts": [2**62]},
    {"size": [6, 8], "counts": [0] * 1_000_000},
    [[0, 0, 1e9, 0, 1e9, 1e9]],
    [[0, 0, 80, 0, 80, 60] * 100_000],
]


@pytest.mark.parametrize("mask", MASKS, ids=range(len(MASKS)))
def test_masks_that_decode_to_terabytes_are_refused(sound, mask):
    value = json.loads(sound["ytvis"].read_text())
    value["annotations"][0]["segmentations"][0] = mask
    sound["ytvis"].write_text(json.dumps(value))
    refused(open_set, sound["ytvis"])


SIZES = [
    ("sav", "video_frame_count", 1e9),
    ("sav", "video_height", 1e9),
    ("burst", "height", 10**9),
    ("labelstudio", "original_width", 10**9),
    ("ytvis", "length", 10**9),
]


@pytest.mark.parametrize(("kind", "key", "size"), SIZES)
def test_sizes_that_a_file_states_take_no_memory(sound, kind, key, size):
    text = sound[kind].read_text()
    at = text.index(f'"{key}": ') + len(key) + 4
    end = min(text.index(mark, at) for mark in ",}" if mark in text[at:])
    sound[kind].write_text(text[:at] + str(size) + text[end:])
    refused(open_set, sound[kind])


@pytest.mark.parametrize("kind", ["labelstudio", "labelme"])
def test_whole_numbers_that_no_float_holds_are_refused(sound, kind):
    place = sound[kind] if kind == "labelstudio" else files(sound[kind], ".json")[0]
    number = re.compile(r'("points":\s*\[\s*\[\s*)[\d.]+')
    text, count = number.subn(rf"\g<1>{10**400}", place.read_text(), count=1)
    assert count == 1
    place.write_text(text)
    refused(open_set, sound[kind])


@pytest.mark.parametrize("name", ["../../x", "/etc", "..", "x" * 5000, "a/" + "x" * 300])
def test_names_of_videos_stay_in_their_folder(sound, name):
    for kind, key in (("sav", "video_id"), ("burst", "seq_name"), ("vipseg", "video_id")):
        place = sound[kind]
        place.write_text(re.sub(rf'"{key}": "\w+"', f'"{key}": "{name}"', place.read_text()))
        if (kind, name) != ("burst", "/etc"):  # between two others, it is one within them
            refused(open_set, place)
    sound["cvat"].write_text(re.sub("<source>[^<]*", f"<source>{name}", sound["cvat"].read_text()))
    if name in ("..", "x" * 5000):  # of others the last part counts
        refused(open_set, sound["cvat"])
    sound["yolo"].write_text(f"path: {name}\ntrain: {name}\nnames: [a]\n")
    refused(open_set, sound["yolo"])


def test_paths_of_a_sequence_are_texts(sound):
    value = json.loads(sound["burst"].read_text())
    value["sequences"][0]["all_image_paths"][0] = ["0.jpg"]
    sound["burst"].write_text(json.dumps(value))
    assert "a file name is a list" in refused(open_set, sound["burst"])


def test_mutations_of_every_format_are_refused_or_read(script):
    # as a program: it forks, which a process with the threads of other tests does not survive
    command = [sys.executable, str(SCRIPTS / "fuzz_files.py"), "--seed", "test"]
    command += ["--cases", str(len(script.FORMATS) * 2)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["ytvis", "coco", "sav"])
def test_a_json_file_takes_the_memory_of_its_size(sound, kind):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**30, limits[1]))
    try:
        open_set(sound[kind])
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
