"""The page's server without a browser."""

import json
import socket
import urllib.request

import pytest

from unveil.core.errors import ConfigError, DataError, MissingDependencyError
from unveil.studio import open_editor, serving
from unveil.studio.serving import free_port, own_page, start_server

pytest.importorskip("viser", reason="viser is not installed")


@pytest.fixture
def solver(body):
    from studio.conftest import Standing

    return Standing(body)


def test_it_answers_on_this_machine_and_stops(solver, tmp_path):
    (tmp_path / "one.json").write_text(json.dumps([{"type": "position", "joint": "head", "position": [0, 1.5, 0]}]))
    editor = open_editor(solver, folder=tmp_path / "poses", files=[tmp_path / "one.json"], port=0)
    try:
        assert editor.address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(editor.address, timeout=30) as answer:
            assert answer.status == 200
            assert b"<html" in answer.read().lower()
        assert not (tmp_path / "poses").exists()  # made when something is saved
        assert [grip.joint for grip in editor._new_state().actor.grips] == [15]
    finally:
        editor.stop()


def test_files_that_cannot_be_opened_are_refused_before_it_serves(solver, tmp_path):
    (tmp_path / "bad.glb").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"bad\.glb"):
        open_editor(solver, folder=tmp_path, files=[tmp_path / "bad.glb"], port=0)
    with pytest.raises(ConfigError, match="0 to 65535"):
        open_editor(solver, folder=tmp_path, port=-1)


@pytest.mark.parametrize("host", ["8.8.8.8", "no-such-host.invalid", "", "a..b"])
def test_an_address_at_which_nothing_can_listen_is_refused(solver, tmp_path, host):
    with pytest.raises(ConfigError, match=r"Nothing can listen at .*0\.0\.0\.0 all that reach it"):
        open_editor(solver, folder=tmp_path, host=host, port=0)


def test_the_next_free_port_is_taken_and_where_all_are_in_use_it_is_said(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port
        assert free_port("127.0.0.1", 0) == 0
        monkeypatch.setattr(serving, "_TRIED", 1)
        with pytest.raises(ConfigError, match="are in use; name another, or 0"):
            free_port("127.0.0.1", port)


@pytest.fixture
def editor(solver, tmp_path):
    editor = open_editor(solver, folder=tmp_path / "poses", port=0)
    yield editor
    editor.stop()


def heard(editor, origin, host="127.0.0.1"):
    """What a page of some origin is told by the editor, and the code with which it is left; None while it is not."""
    from websockets.exceptions import ConnectionClosed
    from websockets.sync.client import connect

    viser = pytest.importorskip("viser")
    address = f"ws://{host}:{editor.server.get_port()}"
    with connect(address, origin=origin, subprotocols=[f"viser-v{viser.__version__}"]) as page:
        try:
            page.send(b"a word before it is answered")
            return page.recv(timeout=30), None
        except ConnectionClosed as closed:
            return None, closed.rcvd.code


def test_only_pages_of_the_editor_and_programs_are_spoken_with(editor):
    for origin in ("https://example.org", "http://127.0.0.1:1", "http://localhost", "null", "file://"):
        assert heard(editor, origin) == (None, 1008)
    assert not editor.sessions
    for name in ("127.0.0.1", "localhost"):
        assert heard(editor, f"http://{name}:{editor.server.get_port()}", name)[0]
    assert heard(editor, None)[0]


@pytest.mark.parametrize(
    ("origin", "host", "named", "own"),
    [
        ("http://127.0.0.1:80", "127.0.0.1:80", False, True),
        ("http://[::1]:8080", "[::1]:8080", False, True),
        ("http://LOCALHOST:8080", "localhost:8080", False, True),
        ("http://studio.lan:8080", "studio.lan:8080", True, True),
        ("http://studio.lan:8080", "studio.lan:8080", False, False),  # a name that leads here
        ("http://studio.lan:8080", "10.0.0.2:8080", True, False),
        ("http://localhost:3000", "localhost:8080", True, False),
        ("http://[", "localhost:8080", True, False),
        ("http://localhost:8080", None, True, False),
    ],
)
def test_a_page_is_known_by_where_it_came_from(origin, host, named, own):
    assert own_page(origin, host, named=named) == own


def test_a_server_whose_connections_cannot_be_looked_at_is_not_started(monkeypatch):
    class Changed:
        """As a later viser may be."""

        stopped = False

        def __init__(self, **options):
            pass

        def stop(self):
            Changed.stopped = True

    monkeypatch.setattr("viser.ViserServer", Changed)
    with pytest.raises(MissingDependencyError, match="from where a page comes"):
        start_server("127.0.0.1", 0, "poses")
    assert Changed.stopped
