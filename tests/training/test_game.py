import copy
import math

import pytest
import torch
from torch import nn

from unveil.core.errors import ConfigError, RunError
from unveil.core.protocols import Batch, Move, Stage
from unveil.training.compiling import compiled, networks
from unveil.training.game import Game
from unveil.training.options import Options
from unveil.training.player import Player
from unveil.training.precision import check_precision
from unveil.training.processes import Processes

HERE = Processes(torch.device("cpu"))
PLAIN = Options(batch_size=4, lr=0.1, clip=0.0, ema=0.0)


class Duel(nn.Module):
    """Two numbers; what each does depends on the other."""

    def __init__(self):
        super().__init__()
        self.first, self.second = Number(1.0), Number(2.0)

    def game(self, moves, options=PLAIN, steps=10):
        return Game(Stage("duel", {"first": self.first, "second": self.second}, steps, moves), self, options, HERE)


class Number(nn.Module):
    def __init__(self, value):
        super().__init__()
        self.value = nn.Parameter(torch.tensor(value))


def batch(n=4):
    return Batch(torch.arange(2.0 * n).reshape(n, 2))


def play(game, parts, steps):
    return [[moved for moved, _ in game.turn(parts, step)] for step in range(steps)]


# -- moves


def test_a_move_may_be_shorter_and_let_the_optimiser_forget():
    duel, values = Duel(), []

    def moves(batch):
        rate, anew = ((1.0, False), (1.0, False), (0.5, True))[batch.step]
        yield Move("first", (-5.0 if batch.step < 2 else 3.0) * duel.first.value, rate=rate, anew=anew)
        values.append(duel.first.value.item())

    game = duel.game(moves)
    for step in range(3):
        given = batch()
        list(game.turn([Batch(given.x, step=step)], step))
    # An optimiser that has forgotten takes its first step again: the rate, against the sign of the gradient.
    assert values == pytest.approx([1.1, 1.2, 1.15], abs=1e-5)


def test_the_second_move_sees_the_moved_weights_of_the_first():
    duel, seen = Duel(), []

    def moves(batch):
        seen.append(duel.first.value.item())
        yield Move("first", 3 * duel.first.value)
        seen.append(duel.first.value.item())
        yield Move("second", duel.first.value.detach() * duel.second.value)
        seen.append(duel.second.value.item())

    play(duel.game(moves), [batch()], 1)
    # Adam's first step is the learning rate, against the sign of the gradient.
    assert seen == pytest.approx([1.0, 0.9, 1.9])


def test_a_move_moves_nobody_else_and_leaves_no_gradient_behind():
    duel = Duel()
    play(duel.game(lambda batch: [Move("first", duel.first.value * duel.second.value)]), [batch()], 3)
    assert duel.first.value.item() != 1.0
    assert duel.second.value.item() == 2.0
    assert duel.first.value.grad is None
    assert duel.second.value.grad is None


def test_accumulation_equals_the_big_batch():
    def trained(parts):
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
        critic = nn.Linear(2, 1)
        model = nn.ModuleDict({"net": net, "critic": critic})

        def moves(batch):
            yield Move("critic", critic(net(batch.x)).square().mean())
            yield Move("net", (net(batch.x) - batch.x).square().mean() + critic(net(batch.x)).mean())

        game = Game(Stage("s", dict(model.items()), 20, moves), model.double(), Options(lr=0.01, clip=0.5), HERE)
        x = torch.randn(12, 2, dtype=torch.double)
        play(game, [Batch(part) for part in x.chunk(parts)], 20)
        return torch.nn.utils.parameters_to_vector(model.parameters())

    whole = trained(1)
    torch.testing.assert_close(trained(3), whole, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(trained(12), whole, rtol=1e-9, atol=1e-12)


def test_the_norm_of_a_players_gradient_is_cut_at_clip():
    pair = nn.ParameterList([torch.zeros(1), torch.zeros(1)])
    player = Player("pair", pair, 1, Options(clip=1.0), HERE)
    player.backward(3 * pair[0].sum() - 4 * pair[1].sum())
    assert player.move(0).item() == 5  # told before it is cut
    memory = player.state()
    torch.testing.assert_close(memory["0/exp_avg"], torch.tensor([0.1 * 0.6]))
    torch.testing.assert_close(memory["1/exp_avg"], torch.tensor([0.1 * -0.8]))


def test_each_parameters_gradient_can_be_given_the_norm_of_clip():
    several = nn.ParameterList([torch.zeros(2), torch.zeros(1), torch.zeros(1)])
    player = Player("several", several, 1, Options(clip=50.0, clip_mode="normalise"), HERE)
    player.backward(3e-6 * several[0][0] - 4e-6 * several[0][1] + 700 * several[1].sum() + 0 * several[2].sum())
    assert player.move(0).item() == pytest.approx(700)
    memory = player.state()
    torch.testing.assert_close(memory["0/exp_avg"], 0.1 * torch.tensor([30.0, -40.0]))
    torch.testing.assert_close(memory["1/exp_avg"], torch.tensor([5.0]))
    assert memory["2/exp_avg"].item() == 0


def test_players_have_their_own_rates():
    duel = Duel()
    options = Options(lr=0.1, clip=0, ema=0, warmup=2, players={"second": {"lr": 0.4, "warmup": 0, "decay": "linear"}})
    game = duel.game(
        lambda batch: [Move("first", duel.first.value * 1), Move("second", duel.second.value * 1)], options, steps=4
    )
    play(game, [batch()], 2)
    assert duel.first.value.item() == pytest.approx(1 - 0.05 - 0.1)
    assert duel.second.value.item() == pytest.approx(2 - 0.4 - 0.3)


def test_moves_that_cannot_be_are_named():
    duel = Duel()
    with pytest.raises(ConfigError, match="moved 'third', which is none of its players: first, second"):
        play(duel.game(lambda batch: [Move("third", duel.first.value)]), [batch()], 1)
    with pytest.raises(ConfigError, match="loss for the player 'first' depends on no parameters"):
        play(duel.game(lambda batch: [Move("first", torch.tensor(1.0))]), [batch()], 1)
    fickle = duel.game(lambda batch: [Move("first" if batch.x[0, 0] == 0 else "second", duel.first.value * 1)])
    with pytest.raises(ConfigError, match="took different moves for different parts"):
        play(fickle, [batch(), Batch(torch.ones(4, 2))], 1)
    stranger = Stage("s", {"stranger": Number(1.0)}, 1, lambda batch: [])
    with pytest.raises(ConfigError, match=r"moves value, which is no parameter of the model.*make the player a submod"):
        Game(stranger, duel, PLAIN, HERE)
    frozen = Stage("s", {"first": duel.first.requires_grad_(False)}, 1, lambda batch: [])
    with pytest.raises(ConfigError, match="'first' has no parameters that require gradients"):
        Game(frozen, duel, PLAIN, HERE)


# -- averages


def test_the_average_follows_its_formula():
    duel = Duel()
    options = Options(lr=0.1, clip=0, ema=0.5, players={"second": {"ema": 0.2}})
    game = duel.game(
        lambda batch: [Move("first", duel.first.value * 1), Move("second", duel.second.value * 1)], options
    )
    averages, expected = game.ema.state(duel), {"first.value": 1.0, "second.value": 2.0}
    for step in range(10):
        play_one = list(game.turn([batch()], step))
        assert len(play_one) == 2
        for name, ema in (("first.value", 0.5), ("second.value", 0.2)):
            m = min(ema, (1 + step) / (10 + step))
            expected[name] = m * expected[name] + (1 - m) * duel.get_parameter(name).item()
        assert {name: value.item() for name, value in averages.items()} == pytest.approx(expected, rel=1e-6)


def test_averages_take_the_place_of_weights_for_a_while():
    duel = Duel()
    duel.norm = nn.BatchNorm1d(2)
    game = duel.game(lambda batch: [Move("first", duel.first.value * 1)], Options(lr=0.1, ema=0.9))
    game.begin()
    play(game, [batch()], 5)
    duel.norm.running_mean.fill_(7.0)
    before = copy.deepcopy(duel.state_dict())
    average = game.ema.state(duel)["first.value"].item()
    assert average != before["first.value"].item()
    with game.ema.applied(duel):
        assert duel.first.value.item() == average
        assert duel.norm.running_mean[0] == 7.0  # buffers are as they are
        assert not duel.first.training
    assert all(torch.equal(value, before[name]) for name, value in duel.state_dict().items())
    assert duel.first.training
    assert not duel.norm.training  # it is no player's
    game.ema.hand_over()
    assert duel.first.value.item() == average


def test_without_ema_the_weights_are_their_own_average():
    duel = Duel()
    game = duel.game(lambda batch: [Move("first", duel.first.value * 1)])
    play(game, [batch()], 3)
    value = duel.first.value.item()
    assert game.ema.state(duel) == {}
    with game.ema.applied(duel):
        assert duel.first.value.item() == value


# -- state


def convolutions():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 8, 3, padding=1), nn.BatchNorm2d(8), nn.SiLU(), nn.Conv2d(8, 2, 3, padding=1))
    net = net.to(memory_format=torch.channels_last)

    def moves(batch):
        yield Move("net", (net(batch.x) - batch.x).square().mean())

    return net, Game(Stage("s", {"net": net}, 50, moves), net, Options(lr=0.01, ema=0.9, warmup=5), HERE)


def test_a_game_goes_on_from_its_state_bit_for_bit_in_its_own_memory_format():
    parts = [Batch(torch.randn(4, 2, 8, 8).contiguous(memory_format=torch.channels_last))]
    _, game = convolutions()
    play(game, parts, 5)
    state = {name: value.clone(memory_format=torch.contiguous_format) for name, value in game.state().items()}
    for step in range(5, 10):
        list(game.turn(parts, step))
    again, resumed = convolutions()
    resumed.load(state, "state")
    memory = resumed.players["net"].optimizer.state[again[0].weight]["exp_avg"]
    assert memory.stride() == again[0].weight.stride()
    for step in range(5, 10):
        list(resumed.turn(parts, step))
    assert game.state().keys() == resumed.state().keys()
    assert all(torch.equal(value, resumed.state()[name]) for name, value in game.state().items())


def test_a_state_of_other_players_is_refused():
    duel = Duel()
    game = duel.game(lambda batch: [Move("first", duel.first.value * 1)])
    play(game, [batch()], 1)
    state = game.state()
    state["optimizer/first/weight/exp_avg"] = torch.ones(2)
    with pytest.raises(RunError, match="checkpoint 7 does not fit the player 'first' of this model"):
        game.load(state, "checkpoint 7")


def test_half_precision_scales_losses_skips_overflows_and_remembers_its_scale():
    number = Number(1.0)
    player = Player("number", number, 10, Options(lr=0.1, precision="fp16"), HERE)
    scale = player.scaler.get_scale()
    player.backward(number.value * 2)
    assert number.value.grad.item() == 2 * scale
    assert player.move(0).item() == 2
    assert number.value.item() == pytest.approx(0.9)
    player.backward(number.value * math.inf)
    player.move(1)
    assert number.value.item() == pytest.approx(0.9)  # not moved
    assert player.scaler.get_scale() == scale / 2
    other = Player("number", number, 10, Options(lr=0.1, precision="fp16"), HERE)
    other.load(player.state())
    assert other.scaler.state_dict() == player.scaler.state_dict()


def test_precision_is_refused_where_it_would_crawl(monkeypatch):
    cpu = torch.device("cpu")
    with pytest.raises(ConfigError, match="precision='fp16' needs a GPU"):
        check_precision("fp16", cpu)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(ConfigError, match="precision='bf16' is tens of times slower than 'fp32' on this processor"):
        check_precision("bf16", cpu)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    check_precision("bf16", cpu)


def test_bf16_computes_losses_in_low_precision_and_keeps_the_weights(monkeypatch):
    net, seen = nn.Linear(2, 2), []

    def moves(batch):
        seen.append(net(batch.x).dtype)
        yield Move("net", net(batch.x).float().square().mean())
        seen.append(net(batch.x).dtype)

    game = Game(Stage("s", {"net": net}, 2, moves), net, Options(precision="bf16"), HERE)
    play(game, [batch()], 2)
    assert seen == [torch.bfloat16] * 4
    assert net.weight.dtype == torch.float32
    assert net(batch().x).dtype == torch.float32


def test_the_outermost_networks_are_compiled_and_nothing_remains(monkeypatch):
    called = []
    monkeypatch.setattr(nn.Module, "compile", lambda module: called.append(module))
    duel = Duel()
    duel.net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    duel.list = nn.ModuleList([nn.SiLU()])
    with compiled(duel):
        assert called == [duel.net, duel.list[0]] == list(networks(duel))
    assert duel.net._compiled_call_impl is None
    assert list(networks(duel.net)) == [duel.net]
