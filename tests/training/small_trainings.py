"""Trainings of the tiny model, whole, cut off and told of."""

import torch
from training.tiny_training import OPTIONS, Denoiser, Points

from unveil.training.trainer import fit

STEPS = 40  # of the first stage; the second has half as many


def train(run=None, steps=STEPS, options=OPTIONS, model=None, **more):
    model = model or Denoiser()
    fit(model, Points(), steps, options, run=run, progress=False, device="cpu", **more)
    return model


def assert_same(a, b):
    assert a.state_dict().keys() == b.state_dict().keys()
    assert all(torch.equal(value, b.state_dict()[name]) for name, value in a.state_dict().items())


class PowerCut(Exception):
    pass


def cut_at(stage, step):
    def cut(moment):
        if (moment.stage, moment.step) == (stage, step):
            raise PowerCut

    return cut


def lines(run):
    return [{key: value for key, value in line.items() if key != "steps_per_second"} for line in run.read_log()]
