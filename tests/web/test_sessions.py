"""Sessions: whose files are whose, and when they go."""

from pathlib import Path

import pytest

from vis.web.sessions import GRACE, IDLE, Session, Sessions


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(tmp_path, clock)


def with_file(sessions: Sessions) -> tuple[str, Session, str]:
    secret = sessions.begin()
    session = sessions.find(secret)
    assert session is not None
    path = session.new_folder("uploads") / "video.mp4"
    path.write_bytes(b"frames")
    return secret, session, session.store(path, "holiday.mp4")


def test_nobody_has_the_files_of_another(sessions: Sessions, tmp_path: Path):
    secret, session, key = with_file(sessions)
    _, other, _ = with_file(sessions)
    assert key in session.files and key not in other.files
    assert session.folder != other.folder and secret not in str(session.folder)
    assert session.folder.stat().st_mode & 0o077 == 0
    assert sessions.find(None) is sessions.find("") is sessions.find("guess") is None


def test_a_new_upload_takes_the_place_of_the_last(sessions: Sessions):
    _, session, key = with_file(sessions)
    result = session.new_folder("results") / "tracked.csv"
    result.write_text("frame")
    other = session.store(result, "")
    session.drop("uploads")
    assert list(session.files) == [other] and result.exists()
    assert not (session.folder / "uploads").exists() and key not in session.files


def test_files_go_with_the_last_page_but_survive_loading_it_anew(sessions: Sessions, clock: Clock):
    secret, session, _ = with_file(sessions)
    with sessions.page(session):
        with sessions.page(session):
            clock.now = IDLE - 1
        clock.now += GRACE - 1
        sessions.find(secret)
        sessions.sweep()
    clock.now += GRACE
    sessions.sweep()
    assert sessions.find(secret) is session
    clock.now += 1
    sessions.sweep()
    assert sessions.find(secret) is None and not session.folder.exists()
    assert session.stop.is_set()


def test_files_go_after_an_hour_although_the_page_is_open(sessions: Sessions, clock: Clock):
    secret, session, _ = with_file(sessions)
    with sessions.page(session):
        clock.now = IDLE
        sessions.sweep()
        assert session.folder.exists()
        clock.now += 1
        sessions.sweep()
        assert not session.folder.exists() and sessions.find(secret) is None


def test_a_job_is_stopped_first_and_its_folder_goes_then(sessions: Sessions, clock: Clock):
    _, session, _ = with_file(sessions)
    with sessions.busy(session):
        sessions.close()
        assert session.stop.is_set() and session.folder.exists()
    assert not session.folder.exists() and not session.files
