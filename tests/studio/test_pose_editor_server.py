"""The page's server without a browser."""

import json
import urllib.request

import pytest

from unveil.core.errors import ConfigError, DataError
from unveil.studio import open_editor

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
