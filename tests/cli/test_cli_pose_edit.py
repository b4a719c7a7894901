"""`unveil pose edit`: what is refused before anything is loaded."""

import sys

import pytest

from unveil.cli.app import run


@pytest.fixture
def refusal(capsys):
    """A function from arguments to the sentence of a refusal."""

    def ask(*words):
        assert run(["pose", "edit", *map(str, words)]) == 2
        return capsys.readouterr().err

    return ask


def test_what_cannot_be_is_refused_in_a_sentence(refusal, tmp_path):
    (tmp_path / "file").touch()
    assert "0 to 65535" in refusal("--port", 70000)
    assert "is a file" in refusal("--folder", tmp_path / "file")
    assert "There is no file" in refusal("--character", tmp_path / "hero.glb")
    assert "There is no file" in refusal("--image", tmp_path / "photo.png")
    assert "must end in .glb, .bvh" in refusal("--character", tmp_path / "file")
    assert "must end in .png, .jpg" in refusal("--image", tmp_path / "file")
    assert "nowhere" in refusal(tmp_path / "nowhere")


def test_without_viser_the_extra_is_named(monkeypatch, tmp_path, body_and_solver):
    from unveil.core.errors import MissingDependencyError
    from unveil.studio import open_editor

    monkeypatch.setitem(sys.modules, "viser", None)
    with pytest.raises(MissingDependencyError, match=r"unveil\[studio\]"):
        open_editor(body_and_solver, folder=tmp_path)


@pytest.fixture
def body_and_solver(tmp_path_factory):
    from unveil.body import Body
    from unveil.body.refining_solver import RefiningSolver

    return RefiningSolver(Body.embedded())
