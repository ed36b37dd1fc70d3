"""What stands before gradio, asked over the network: own files alone, limits, shut roads."""

import json
import urllib.error
import urllib.request
from email.message import Message
from pathlib import Path

import pytest

from tests.web.conftest import Server


def ask(
    address: str, body: bytes | None = None, cookie: str = "", kind: str = "application/json"
) -> tuple[int, bytes, Message]:
    request = urllib.request.Request(address, body, {"cookie": cookie, "content-type": kind})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def visitor(server: Server) -> str:
    return ask(server.address)[2]["set-cookie"].partition(";")[0]


def send(server: Server, cookie: str, content: bytes, name: str = "a.mp4") -> tuple[int, bytes]:
    head = f'--x\r\ncontent-disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + b"\r\n--x--\r\n"
    address = f"{server.address}/gradio_api/upload"
    return ask(address, body, cookie, "multipart/form-data; boundary=x")[:2]


def test_a_visitor_gets_the_own_files_alone(server: Server):
    one, two = visitor(server), visitor(server)
    status, body = send(server, one, b"frames", "../../../etc/holiday.mp4")
    [key] = json.loads(body)
    assert status == 200 and "/" not in key
    assert not [path for path in server.files() if "holiday" in path.name]
    for road in ("file/", "gradio_api/file="):
        assert ask(f"{server.address}/{road}{key}", cookie=one)[:2] == (200, b"frames")
        assert ask(f"{server.address}/{road}{key}", cookie=two)[0] == 404
        assert ask(f"{server.address}/{road}{key}")[0] == 403
    send(server, one, b"others")
    assert ask(f"{server.address}/file/{key}", cookie=one)[0] == 404


@pytest.mark.parametrize(
    "road",
    [
        "gradio_api/file=/etc/passwd",
        f"gradio_api/file={Path(__file__)}",
        "file/../../etc/passwd",
        "file/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "static/%2e%2e/%2e%2e/__init__.py",
        "gradio_api/proxy=http://127.0.0.1:1/",
        "gradio_api/deep_link",
        "gradio_api/info",
        "gradio_api/run/track",
        "gradio_api/call/track",
        "monitoring",
        "docs",
    ],
)
def test_nothing_else_can_be_reached(server: Server, road: str):
    assert ask(f"{server.address}/{road}", cookie=visitor(server))[0] in (403, 404)


def test_what_is_too_large_is_refused_and_leaves_nothing(server: Server):
    status, body = send(server, visitor(server), bytes((2 << 20) + 1))
    assert (status, body) == (413, b"The file is larger than 2 MB. Cut it, or shrink it.")
    assert not [path for path in server.files() if path.stat().st_size > 2 << 20]


def test_gradio_is_never_given_a_record_of_a_file_which_it_would_fetch(server: Server):
    record = {"path": "http://127.0.0.1:1/a.mp4", "meta": {"_type": "gradio.FileData"}}
    for data in ([record], [[record]], [[[record]]], {"0": [record]}):
        body = json.dumps({"data": data, "fn_index": 0, "session_hash": "a"}).encode()
        assert ask(f"{server.address}/gradio_api/queue/join", body, visitor(server))[0] == 400


def test_the_page_may_load_nothing_from_elsewhere(server: Server):
    _, page, headers = ask(server.address)
    policy = headers["content-security-policy"]
    assert "http" not in policy and "*" not in policy and "default-src 'self'" in policy
    assert "HttpOnly" in headers["set-cookie"] and b"googleapis" not in page
