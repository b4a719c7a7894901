"""JSON files, and what is said of those that cannot be had."""

import pytest

from unveil.core.errors import DataError, ExistsError
from unveil.core.json_file import read_json, write_json


def test_what_was_written_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"joint": "Hüfte", "at": [1, 2.5, null]}', encoding="utf-8")
    assert read_json(tmp_path / "a.json", "list") == {"joint": "Hüfte", "at": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "is no JSON that can be read"),
        (b'"\xff\xfe"', "is no JSON that can be read"),
        (b"[" * 100_000, "is no JSON that can be read"),
        (b"9" * 5000, "is no JSON that can be read"),
        (b"[" + b" " * 200_000 + b"]", r"is larger than any list of effectors\.$"),
    ],
)
def test_what_cannot_be_read_gets_its_own_sentence(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_json(tmp_path / "a.json", "list of effectors", 150_000)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read: No such file or directory\."):
        read_json(tmp_path / "a.json", "list")
    with pytest.raises(DataError, match="cannot be read"):
        read_json(tmp_path, "list")


def test_what_is_written_is_whole_and_in_the_way_of_nothing(tmp_path):
    file = write_json(tmp_path / "new" / "a.json", {"joint": "Hüfte", "at": [1, 2.5]})
    assert read_json(file, "list") == {"joint": "Hüfte", "at": [1, 2.5]}
    assert file.read_text().endswith("}\n")
    with pytest.raises(ExistsError, match="exists already"):
        write_json(file, [])
    with pytest.raises(TypeError):
        write_json(file, [object()], force=True)
    assert read_json(write_json(file, [], force=True), "list") == []
    assert [path.name for path in file.parent.iterdir()] == ["a.json"]
