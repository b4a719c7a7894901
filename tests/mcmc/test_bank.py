"""A bank of states that belong together, and chains that live in one."""

import math
from functools import partial

import pytest
import torch

from unveil.core.errors import ConfigError, ShapeError
from unveil.core.random import Streams, randn
from unveil.mcmc import Bank, NoiseStart, Persistent, ShortRun, langevin


def pairs(n, generator=None):
    """A code and what is made from it."""
    z = randn((n, 3), generator)
    return {"x": z.repeat(1, 2) * 2, "z": z, "seed": torch.arange(n)}


def fixed(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_bank_is_filled_the_same_whatever_the_chunk():
    one, two = (Bank.filled(20, pairs, chunk=chunk, generator=fixed()) for chunk in (20, 6))
    assert len(one) == 20
    assert torch.equal(one.slots["z"], two.slots["z"])
    assert torch.equal(one.slots["x"], one.slots["z"].repeat(1, 2) * 2)


def test_slots_are_drawn_without_repetition_and_pairs_stay_together():
    bank = Bank.filled(20, pairs, generator=fixed())
    for generator in (fixed(), Streams(0, 8), None):
        chosen, drawn = bank.draw(8, generator)
        assert len(set(chosen.tolist())) == 8
        assert torch.equal(drawn["x"], drawn["z"].repeat(1, 2) * 2)
        assert torch.equal(drawn["z"], bank.slots["z"][chosen])
    assert sorted(bank.draw(20)[0].tolist()) == list(range(20))


def test_exactly_the_slots_that_were_drawn_change():
    bank = Bank.filled(20, pairs, generator=fixed())
    before = {name: part.clone() for name, part in bank.slots.items()}
    chosen, drawn = bank.draw(5, fixed())
    drawn["x"].zero_()  # a copy
    assert torch.equal(bank.slots["x"], before["x"])
    bank.overwrite(chosen, {"x": torch.full((5, 6), 7.0), "z": torch.full((5, 3), 3.5)})
    changed = (bank.slots["x"] != before["x"]).any(1)
    assert sorted(chosen.tolist()) == changed.nonzero()[:, 0].tolist()
    assert torch.equal(bank.slots["x"], bank.slots["z"].repeat(1, 2) * 2)
    assert torch.equal(bank.slots["seed"], before["seed"])


def test_after_enough_draws_every_slot_was_refreshed():
    size, batch = 60, 6
    bank, generator, seen = Bank({"x": torch.zeros(size, 1)}), fixed(), set()
    for _ in range(math.ceil(size / batch * (math.log(size) + 4.6))):
        seen |= set(bank.draw(batch, generator)[0].tolist())
    assert len(seen) == size


def test_a_sample_is_given_the_same_slot_at_any_batch_size():
    bank = Bank.filled(20, pairs, generator=fixed())
    whole = bank.draw(6, Streams(4, 6))[0]
    assert torch.equal(torch.cat([bank.draw(3, Streams(4, range(i, i + 3)))[0] for i in (0, 3)]), whole)
    assert not torch.equal(bank.draw(6, Streams(5, 6))[0], whole)
    streams = Streams(4, 6)
    assert not torch.equal(bank.draw(6, streams)[0], bank.draw(6, streams)[0])
    with pytest.raises(ConfigError, match="follow each other"):
        bank.draw(2, Streams(0, [1, 21]))


def test_half_precision_saves_memory_and_comes_back_in_full():
    bank = Bank.filled(10, pairs, dtype=torch.float16, generator=fixed())
    assert bank.slots["x"].dtype == torch.float16
    assert bank.slots["seed"].dtype == torch.int64
    _, drawn = bank.draw(4)
    assert drawn["x"].dtype == torch.float32
    assert drawn["seed"].dtype == torch.int64


def test_some_drawn_slots_begin_anew():
    n = 4000
    bank = Bank({"x": torch.zeros(n, 1)}, fresh=lambda n, g: {"x": torch.ones(n, 1)}, reset=0.05)
    _, drawn = bank.draw(n, fixed())
    assert abs(float(drawn["x"].mean()) - 0.05) < 4 * math.sqrt(0.05 * 0.95 / n)
    assert (bank.slots["x"] == 0).all()  # only what is put back is kept
    never = Bank({"x": torch.zeros(n, 1)}, fresh=lambda n, g: {"x": torch.ones(n, 1)})
    assert (never.draw(n, fixed())[1]["x"] == 0).all()


def test_the_state_is_tensors_and_comes_back_to_the_bit():
    one = Bank.filled(20, pairs, dtype=torch.float16, generator=fixed())
    two = Bank.filled(20, pairs, dtype=torch.float16, generator=fixed(1))
    state = {name: part.clone() for name, part in one.state_dict().items()}
    two.load_state_dict(state)
    assert all(torch.equal(two.slots[name], one.slots[name]) for name in state)
    with pytest.raises(ShapeError, match="cannot take over"):
        two.load_state_dict({"x": torch.zeros(20, 6)})


def test_a_bank_refuses_what_cannot_be():
    with pytest.raises(ShapeError, match="as many slots"):
        Bank({"x": torch.zeros(3, 1), "z": torch.zeros(2, 1)})
    with pytest.raises(ShapeError, match="none"):
        Bank({})
    with pytest.raises(ConfigError, match="probability"):
        Bank({"x": torch.zeros(3, 1)}, reset=1.5)
    with pytest.raises(ConfigError, match="fresh"):
        Bank({"x": torch.zeros(3, 1)}, reset=0.1)
    bank = Bank({"x": torch.zeros(3, 1)})
    with pytest.raises(ConfigError, match="bank of 3"):
        bank.draw(4)
    with pytest.raises(ShapeError, match="cannot hold x"):
        bank.overwrite(torch.tensor([0, 1]), {"x": torch.zeros(2, 2)})
    with pytest.raises(ShapeError, match="cannot hold y"):
        bank.overwrite(torch.tensor([0]), {"y": torch.zeros(1, 1)})


def chain(x, generator, steps=1):
    return langevin(lambda x: x.square().sum(1) / 2, x, steps=steps, step_size=0.5, generator=generator)


def test_persistent_chains_go_on_where_they_were_left():
    bank = Bank({"x": torch.full((50, 1), 9.0)})
    run, generator = Persistent(bank, chain), fixed()
    first = run(50, generator)
    assert abs(float(first.mean()) - 9 * 0.75) < 0.5
    for _ in range(60):
        run(50, generator)
    assert abs(float(bank.slots["x"].mean())) < 0.7  # long chains, one step at a time


def test_short_chains_begin_anew_and_do_not_forget_their_start():
    far = ShortRun(lambda n, g: torch.full((n, 1), 9.0), partial(chain, steps=3))
    means = [float(far(400, fixed(seed)).mean()) for seed in (0, 1)]
    assert all(abs(mean - 9 * 0.75**3) < 0.2 for mean in means)


@pytest.mark.parametrize(("kind", "std"), [("uniform", 2 / math.sqrt(12)), ("gaussian", 1.0)])
def test_noise_where_chains_begin(kind, std):
    x = NoiseStart((3, 20, 20), kind, scale=0.5)(50, fixed())
    assert x.shape == (50, 3, 20, 20)
    assert abs(float(x.std()) - 0.5 * std) < 0.01
    assert abs(float(x.mean())) < 0.01
    grey = NoiseStart((3, 5, 5), kind, grey=True)(2, Streams(0, 2))
    assert torch.equal(grey[:, 0], grey[:, 2])
    assert not torch.equal(grey[0], grey[1])
    for start in (lambda: NoiseStart((1,), "white"), lambda: NoiseStart((1,), scale=0)):
        with pytest.raises(ConfigError):
            start()
