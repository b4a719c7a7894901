"""What a model of paths refuses."""

import math
import warnings

import pytest
import torch
from path_models import DOPRI5, RK4, clips, model

from unveil.core.errors import ConfigError, DataError, DivergenceError, ShapeError
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
    with pytest.raises(ShapeError, match="No frame is known"):
        m.frames_at(x[:, :0], [1.0])
    for factor in (1, 2):
        with pytest.raises(ShapeError, match="has 0 frames, and this model reads 2"):
            m.interpolate(x[:, :0], factor)


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
    for words, options in (
        ("Times of 2 clips", {"times": torch.arange(5.0).expand(2, 5)}),
        ("and there are 3", {"query": torch.tensor([[6.0, 7], [6, 8]])}),
        ("for 100000 at most", {"times": [0.0, 1, 2, 3, 1e30], "query": [1e30]}),
        ("Frames 1e\\+10 frames away", {"query": [1e10]}),
    ):
        with pytest.raises(ConfigError, match=words), warnings.catch_warnings(action="ignore"):
            m.frames_at(x, **{"query": [6.0]} | options)
    with pytest.raises(ConfigError, match="times that all clips share"):
        m.along(x, torch.tensor([[0.0, 1], [0, 1], [0, 2]]))
    with pytest.raises(ConfigError, match="as if they were 1 apart"):
        model(stack=3).frames_at(x, [6.0], times=[0, 1, 3, 4, 5])
    assert (
        model(stack=2).frames_at(x, [6.0], times=[0, 1, 3, 4, 5]).shape[1] == 1
    )  # what it does not read may be uneven
    with pytest.raises(ConfigError, match="hides every frame of clip 1"):
        m.frames_at(x, [6.0], mask=torch.tensor([[1] * 5, [0] * 5, [1] * 5]))
    with pytest.raises(ShapeError, match="mask"):
        m.frames_at(x, [6.0], mask=torch.ones(3, 4))
    with pytest.warns(UserWarning, match="frames away"):
        m.frames_at(x, [81.0])
    with pytest.warns(UserWarning, match="One known frame"):
        m.frames_at(x[:, :1], [1.0])


@pytest.mark.parametrize("solver", [RK4, DOPRI5])
def test_a_path_that_grows_beyond_all_numbers_is_no_picture(solver):
    class Explosive(torch.nn.Module):
        state = 6

        def forward(self, t, z):
            return 60 * z

    with pytest.raises(DivergenceError, match=r"beyond all numbers|stopped being finite"):
        model(dynamics=Explosive(), solver=solver).predict(clips(), 60)


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
