"""What a model of paths refuses."""

import math

import pytest
import torch
from path_models import clips, model

from unveil.core.errors import ConfigError, DataError, ShapeError
from unveil.models.ode_video import (
    Learning,
)


def test_frames_that_do_not_fit_are_refused_in_words():
    m, x = model(), clips()
    for bad, kind, words in (
        (x.permute(0, 1, 3, 4, 2), ShapeError, "permute"),
        (x[0], ShapeError, r"frames\[None\]"),
        (x[:, :, 0], ShapeError, "without channels"),
        (2 * x, DataError, "give finite numbers in"),
        (x.long(), DataError, "uint8"),
        (x[:, :2], ShapeError, "has 2 frames, and this model reads 5"),
    ):
        with pytest.raises(kind, match=words):
            m.predict(bad, 2)
    assert m.predict(((x + 1) * 127.5).byte(), 2).shape[1] == 2
    with pytest.raises(ShapeError, match="have 5 frames, and training takes 8"):
        m.loss(x[:, :5])
    with pytest.raises(ShapeError, match="No frame is known"):
        m.encode(x[:, :0])


def test_times_that_cannot_be_are_refused_in_words():
    m, x = model(), clips()[:, :5]
    for times, words in (
        ([0, 1, 3, 2, 4], "2 comes after 3"), ([0, 1, 1, 2, 3], "none twice"), ([0, 1, 2, 3], "4 times were given for 5"),
        ([0, 1, 2, 3, math.nan], "not all finite"),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=words):
            m.frames_at(x, [6.0], times=times)
    for query, words in (([7, 6], "6 comes after 7"), ([], "one or more"), ([math.inf], "finite"), (None, "Say when")):
        with pytest.raises(ConfigError, match=words):
            m.frames_at(x, query)
    with pytest.raises(ConfigError, match="hides every frame of clip 1"):
        m.frames_at(x, [6.0], mask=torch.tensor([[1] * 5, [0] * 5, [1] * 5]))
    with pytest.raises(ShapeError, match="mask"):
        m.frames_at(x, [6.0], mask=torch.ones(3, 4))
    with pytest.warns(UserWarning, match="frames away"):
        m.frames_at(x, [81.0])
    with pytest.warns(UserWarning, match="One known frame"):
        m.frames_at(x[:, :1], [1.0])


def test_what_a_model_cannot_do_is_refused_in_words():
    certain = model(stack=2)
    with pytest.raises(ConfigError, match="knows one future"):
        certain.predict(clips(), 2, trajectories=3)
    with pytest.raises(ConfigError, match="knows no prior"):
        certain.sample(1)
    with pytest.raises(ConfigError, match="cannot do without"):
        certain.frames_at(clips(), [3.0], mask=torch.tensor([[1, 0, 1, 1, 1, 1, 1, 1]] * 3))
    with pytest.raises(ConfigError, match="the mean of the state has one"):
        model().predict(clips(), 2, trajectories=3, mean=True)
    for factor in (0, 1.5):
        with pytest.raises(ConfigError, match="factor"):
            model().interpolate(clips(), factor)
    with pytest.raises(ConfigError, match="The ODE moves 4"):
        model(state=4)
    with pytest.raises(ConfigError, match="encoder reads 6"):
        model(stack=6)
    for options in (
        {"objective": "guess"}, {"sigma": 0.0}, {"hide": 1.0}, {"beta": -1.0}, {"window": 5, "objective": "predict"},
        {"window": 4}, {"stop": "all"}, {"compared": 0}, {"horizon": -1}, {"compared": 9},
        {"compared": 4, "objective": "predict"},
    ):  # fmt: skip
        with pytest.raises(ConfigError):
            Learning(**{"window": 8, "context": 5} | options)
    with pytest.raises(ConfigError, match="gru or rnn"):
        model(recurrent={"cell": "lstm"})
