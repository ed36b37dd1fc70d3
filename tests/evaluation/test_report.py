"""The report: it holds the numbers, asks for nothing outside, and survives any name."""

import json
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PATIENCE
from vis.errors import OutputExistsError
from vis.evaluation.average_precision import evaluate_tracks
from vis.evaluation.report import ErrorRow, write_report
from vis.evaluation.report.summary import content_of, surest
from vis.formats.opening import open_set
from vis.formats.ytvis import read_results
from vis.formats.ytvis_records import AnnotationSet, Category, VideoEntry
from vis.ops import rle
from vis.records import Track

HEIGHT, WIDTH = 36, 64
HOSTILE = "<script src='http://a.b/x.js'>&\"\x1b</script>"
EMPTY = {"meta", "br", "img"}


class Page(HTMLParser):
    """Every tag is closed in turn; attributes and words are kept."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.attributes, self.words, self.tags = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def square(left, size=10):
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[8 : 8 + size, left : left + size] = True
    return rle.encode(mask)


def track(number, label=1, frames=range(6), score=0.9, shift=0):
    return Track(number, label, score, {frame: square(4 * frame + shift) for frame in frames})


@pytest.fixture
def truth():
    videos = {
        n: VideoEntry(n, f"v{n}", WIDTH, HEIGHT, 6, tuple(f"v{n}/{t}.jpg" for t in range(6)))
        for n in (1, 2)
    }
    tracks = {1: [track(1), track(2, shift=30)], 2: [track(3, label=2)]}
    categories = {1: Category(1, "cat"), 2: Category(2, HOSTILE), 3: Category(3, "never")}
    return AnnotationSet(categories, videos, tracks)


@pytest.fixture
def results():
    return {
        1: [track(1, frames=range(3)), track(2, frames=range(3, 6)), track(3, score=0.1, shift=25)],
        2: [track(4, label=1)],
    }


def write(folder, truth, results, title=HOSTILE, **others):
    found = evaluate_tracks(truth, results)
    errors = [ErrorRow("missed", 0.25, "no result"), ErrorRow("class", 0.0, "wrong one")]
    content = content_of(
        title, truth, found, interval=(0.1, 0.4), errors=errors, details={"truth": title}
    )
    threshold = others.pop("threshold", 0.5)
    return found, write_report(folder, content, truth, results, threshold=threshold, **others)


def test_the_page_is_whole_holds_the_numbers_and_asks_for_nothing(tmp_path, truth, results):
    found, path = write(tmp_path / "out", truth, results)
    text = path.read_text()
    page = Page(text)
    for key in ("AP", "AP50", "AP75"):
        assert f"{100 * found.numbers[key]:.1f}" in page.words
    assert {"cat", HOSTILE.replace("\x1b", ""), "missed", "25.0"} <= set(page.words)
    assert "script" not in page.tags
    links = [value for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert links
    assert all(link.startswith("data:image/jpeg;base64,") for link in links)
    assert "url(" not in text and "@import" not in text
    said = ("alt", "aria-label")  # words for a reader, where a name may hold anything
    assert not any("://" in str(value) for name, value in page.attributes if name not in said)


def test_a_report_is_not_replaced_unless_asked(tmp_path, truth, results):
    write(tmp_path, truth, results)
    with pytest.raises(OutputExistsError):
        write(tmp_path, truth, results)
    write(tmp_path, truth, results, overwrite=True)


def test_pictures_are_drawn_on_where_they_are_and_on_grey_where_not(tmp_path, truth, results):
    for n in (1, 2):
        (tmp_path / f"v{n}").mkdir()
        for t in range(6):
            noise = np.random.default_rng(t).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
            Image.fromarray(noise).save(tmp_path / f"v{n}" / f"{t}.jpg")
    _, grey = write(tmp_path / "grey", truth, results)
    _, drawn = write(tmp_path / "drawn", truth, results, frames=tmp_path)
    assert grey.read_text().count("Drawn without the pictures") == 2
    assert "Drawn without" not in drawn.read_text()
    assert drawn.stat().st_size > grey.stat().st_size
    (tmp_path / "v1" / "0.jpg").write_bytes(b"no picture")
    _, damaged = write(tmp_path / "damaged", truth, results, frames=tmp_path)
    assert damaged.read_text().count("Drawn without the pictures") == 1


def test_a_results_without_anything_and_a_truth_without_objects_make_a_page(tmp_path, truth):
    _, path = write(tmp_path / "a", truth, {})
    assert "missed in frames 0 to 5" in path.read_text()
    bare = AnnotationSet(truth.categories, truth.videos, {})
    _, path = write(tmp_path / "b", bare, {}, threshold=0.0)
    Page(path.read_text())


def test_many_videos_are_shown_in_part_and_the_rest_folded(tmp_path, truth, results):
    videos = {
        n: VideoEntry(n, f"v{n}", WIDTH, HEIGHT, 6, tuple(f"v{n}/{t}.jpg" for t in range(6)))
        for n in range(1, 21)
    }
    many = AnnotationSet(truth.categories, videos, {n: [track(n)] for n in videos})
    _, path = write(tmp_path, many, {1: [track(1)]})
    text = path.read_text()
    assert text.count("<img ") == 12 * 2 * 5
    assert "Timelines of 8 other videos" in text


def test_the_threshold_of_the_pictures_is_where_f1_is_highest(truth):
    """Of four results only the two surest are right."""
    good = [track(1, score=0.8), track(2, score=0.7, shift=30)]
    bad = [track(3, score=0.6, shift=20), track(4, score=0.2, shift=20)]
    assert surest(evaluate_tracks(truth, {1: bad + good}).matches) == 0.7
    assert surest(evaluate_tracks(truth, {}).matches) == 0.0
    assert surest(evaluate_tracks(truth, {1: bad}).matches) == 0.0


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_shows_it(tmp_path, truth, results):
    _, path = write(tmp_path, truth, results)
    shot = tmp_path / "shot.png"
    flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'user'}"]
    done = subprocess.run(
        ["chromium", *flags, f"--screenshot={shot}", "--window-size=1000,800", path.as_uri()],
        capture_output=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(shot) as picture:
        colours = picture.convert("RGB").getcolors(2**24)
    assert len(colours) > 100


def test_real_predictions(shared, tmp_path):
    references = shared / "data" / "pack_test" / "eval_refs" / "ytvis_ap"
    data = open_set(shared / "data" / "pack_dev" / "davis_dev")
    results = read_results(references / "results.json", data.annotations)
    _, path = write(tmp_path, data.annotations, results, "real", frames=data.frames)
    expected = json.loads((references / "expected.json").read_text())["expected"]
    page = Page(path.read_text())
    for number in expected["all/AP_per_category"].values():
        assert f"{100 * number:.1f}" in page.words
    assert path.stat().st_size < 15e6
    assert "Drawn without" not in path.read_text()
    assert "://" not in path.read_text()
