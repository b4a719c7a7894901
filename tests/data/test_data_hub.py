import io

import numpy as np
import pytest
from PIL import Image

from unveil.core.errors import DataError
from unveil.data import open_images

datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
PIXELS = np.random.default_rng(0).integers(0, 256, (10, 6, 6, 3), np.uint8)


def encoded(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def table(rows, labels=True):
    columns = {"image": [encoded(pixels) for pixels in rows]}
    features = {"image": datasets.Image()}
    if labels:
        columns["label"] = [i % 2 for i in range(len(rows))]
        features["label"] = datasets.ClassLabel(names=["cat", "dog"])
    return datasets.Dataset.from_dict(columns, datasets.Features(features))


def values(data):
    return ((data.batch(range(len(data)))[0] + 1) * 127.5).round().numpy().transpose(0, 2, 3, 1)


def test_a_folder_on_disk_with_parts(tmp_path):
    datasets.DatasetDict(train=table(PIXELS[:7]), test=table(PIXELS[7:])).save_to_disk(tmp_path / "set")
    for cache in (False, True):
        train, test, both = (
            open_images(tmp_path / "set", split=split, cache=cache) for split in ("train", "test", "all")
        )
        np.testing.assert_array_equal(values(train), PIXELS[:7])
        np.testing.assert_array_equal(values(test), PIXELS[7:])
        np.testing.assert_array_equal(values(both), PIXELS)
        assert train.class_names == ("cat", "dog")
        assert test.labels.tolist() == [0, 1, 0]


def test_one_part_holds_out_a_fifth(tmp_path):
    table(PIXELS, labels=False).save_to_disk(tmp_path / "set")
    assert len(open_images(tmp_path / "set")) == 8
    assert len(open_images(tmp_path / "set", split="test")) == 2
    assert open_images(tmp_path / "set").classes is None


def test_a_name_of_the_hub(monkeypatch):
    asked = []

    def load(*names):
        asked.append(names)
        return datasets.DatasetDict(train=table(PIXELS))

    monkeypatch.setattr(datasets, "load_dataset", load)
    data = open_images("hf:someone/pictures:small", split="all")
    assert asked == [("someone/pictures", "small")]
    np.testing.assert_array_equal(values(data), PIXELS)


def test_without_a_network(monkeypatch):
    def load(*_):
        raise ConnectionError("Couldn't reach the hub")

    monkeypatch.setattr(datasets, "load_dataset", load)
    with pytest.raises(DataError, match=r"'hf:someone/pictures' cannot be opened: .*needs a network"):
        open_images("hf:someone/pictures")


def test_a_data_set_without_images(tmp_path):
    datasets.Dataset.from_dict({"text": ["a", "b"]}).save_to_disk(tmp_path / "set")
    with pytest.raises(DataError, match="has no column of images; it has text"):
        open_images(tmp_path / "set")


def test_damaged_rows_are_skipped(tmp_path):
    rows = [encoded(PIXELS[0]), {"bytes": b"rubbish", "path": None}, encoded(PIXELS[1])]
    features = datasets.Features(image=datasets.Image())
    datasets.Dataset.from_dict({"image": rows}, features).save_to_disk(tmp_path / "set")
    data = open_images(tmp_path / "set", split="all")
    assert len(data) == 2
    assert data.skipped[0][0].startswith("row 1 of ")
