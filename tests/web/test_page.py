"""The page in a real browser: upload, track, seek, download, a bad file, two visitors at once."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, wait_until
from tests.web.conftest import FRAMES, Server

MOST = PATIENCE * 1000
SIZES = {"desk": (1280, 900), "phone": (390, 844)}


@pytest.fixture
def visit(server: Server, browser: Any) -> Iterator[Callable[..., Any]]:
    """`visit(width, scheme)` is a new visitor's page; nothing in it came from elsewhere."""
    asked: list[str] = []
    contexts = []

    def opened(size: str = "desk", scheme: str = "light") -> Any:
        width, height = SIZES[size]
        contexts.append(
            browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        )
        page = contexts[-1].new_page()
        page.set_default_timeout(MOST)
        page.on("request", lambda request: asked.append(request.url))
        page.goto(server.address)
        page.wait_for_selector("#track")
        return page

    yield opened
    for context in contexts:
        context.close()
    elsewhere = {url for url in asked if not url.startswith((server.address, "blob:", "data:"))}
    assert asked and not elsewhere


def bring(page: Any, film: Path | dict[str, Any]) -> None:
    with page.expect_response("**/gradio_api/upload?*"):
        page.set_input_files("#upload input[type=file]", film)
    page.wait_for_function("document.querySelector('#upload input[type=file]') === null")


def state(page: Any, text: str) -> str:
    page.wait_for_function(
        "text => document.querySelector('#state').innerText.includes(text)", arg=text
    )
    return page.inner_text("#state")


def test_a_video_is_tracked_sought_in_and_downloaded(visit: Any, film: Path):
    page = visit()
    bring(page, film)
    page.click("#track")
    page.wait_for_selector(".vis-result")
    assert page.locator(".vis-result video").count() == 2
    page.wait_for_function(
        "[...document.querySelectorAll('.vis-result video')].every(one => one.readyState > 1)"
    )
    last = page.locator(".vis-span").last
    last.focus()
    page.keyboard.press("Enter")
    first = float(last.get_attribute("data-from"))
    page.wait_for_function(
        "time => [...document.querySelectorAll('.vis-result video')]"
        ".every(one => Math.abs(one.currentTime - time) < 0.001)",
        arg=first,
    )
    assert page.inner_text(".vis-place").startswith(f"frame {int(first * 24)}, ")
    assert page.locator(".vis-table tr").count() > 1
    names = set()
    for link in page.locator(".vis-link").all():
        with page.expect_download() as download:
            link.click()
        assert Path(download.value.path()).stat().st_size
        names.add(download.value.suggested_filename)
    endings = ["mp4", "json", "jsonl", "coco.json", "csv", "mots.zip", "davis.zip"]
    assert names == {f"holiday-tracked.{ending}" for ending in endings}


def test_what_is_no_video_or_too_long_is_said_in_one_line(visit: Any, server: Server):
    page = visit()
    page.click("#track")
    assert state(page, "video") == "there is no video. Drop one, or record one."
    bring(page, {"name": "<b>.mp4", "mimeType": "video/mp4", "buffer": b"no video " * 99})
    page.click("#track")
    assert re.fullmatch(r"<b>\.mp4: .* video\. .*", state(page, "<b>.mp4"))
    assert page.locator("#state [role=alert]").count() == 1


def test_of_two_visitors_one_waits_and_may_cancel(
    visit: Any, film: Path, long_film: Path, server: Server
):
    one, two = visit(), visit("phone", "dark")
    bring(one, long_film)
    bring(two, film)
    one.click("#track")
    state(one, "frames")
    two.click("#track")
    assert "Waiting: 1 before yours." in state(two, "Waiting")
    two.click("#cancel")
    state(two, "Cancelled.")
    one.wait_for_selector(".vis-result")
    address = one.get_attribute("video.vis-annotated", "src")
    assert one.request.get(f"{server.address}/{address}").status == 200
    assert two.request.get(f"{server.address}/{address}").status == 404
    assert two.locator(".vis-result").count() == 0
    two.click("#track")
    two.wait_for_selector(".vis-result")
    assert two.evaluate("document.documentElement.scrollWidth") == SIZES["phone"][0]
    assert two.get_attribute("video.vis-annotated", "src") != address
    assert f"{FRAMES} frames" in two.inner_text(".vis-summary")


def test_a_job_that_is_cancelled_leaves_nothing(visit: Any, film: Path, server: Server):
    page, before = visit(), set(server.files())
    bring(page, film)
    page.click("#track")
    state(page, f"of {FRAMES} frames")
    assert any(path.name.startswith("tracked") for path in set(server.files()) - before)
    page.click("#cancel")
    state(page, "Cancelled.")
    wait_until(lambda: [one.name for one in set(server.files()) - before] == ["video.mp4"])
    assert page.is_visible("#track") and not page.is_visible("#cancel")
