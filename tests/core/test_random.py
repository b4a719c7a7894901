import math

import pytest
import torch

from unveil.core.random import Streams, rademacher_like, rand, randn, randn_like


def test_a_row_depends_on_its_index_alone():
    whole = Streams(7, 64)
    first, second = whole.randn((64, 3, 5)), whole.randn((64, 3, 5))
    part = Streams(7, range(20, 27))
    assert torch.equal(part.randn((7, 3, 5)), first[20:27])
    assert torch.equal(part.randn((7, 3, 5)), second[20:27])
    assert torch.equal(Streams(7, 64, draws=1).randn((64, 3, 5)), second)


def test_a_slice_goes_on_where_the_whole_was():
    whole = Streams(7, 10)
    whole.randn((10, 2))
    part = whole[3:5]
    assert torch.equal(part.randn((2, 4)), whole.randn((10, 4))[3:5])


def test_streams_are_independent():
    x = Streams(0, 500).randn((500, 400))
    y = Streams(1, 500).randn((500, 400))
    again = Streams(0, 500)
    again.randn((500, 400))
    z = again.randn((500, 400))
    noise = 5 / math.sqrt(x.numel())
    assert float(x.mean()) == pytest.approx(0, abs=noise)
    assert float(x.var()) == pytest.approx(1, abs=2 * noise)
    for other in (y, z, x.roll(1, 0)):
        assert float((x * other).mean()) == pytest.approx(0, abs=noise)
    assert len(torch.unique(x)) > 0.98 * x.numel()


def test_no_two_of_many_streams_coincide():
    firsts = Streams(0, 50_000).randn((50_000, 2), dtype=torch.float64)
    assert len(torch.unique(firsts[:, 0])) == 50_000


def test_uniform_integers_and_signs():
    u = Streams(0, 100).rand((100, 1000))
    assert 0 <= float(u.min()) < float(u.max()) < 1
    assert float(u.mean()) == pytest.approx(0.5, abs=0.005)
    k = Streams(0, 100).randint(3, 7, (100, 50))
    assert set(k.flatten().tolist()) == {3, 4, 5, 6}
    s = rademacher_like(torch.zeros(100, 50), Streams(0, 100))
    assert set(s.flatten().tolist()) == {-1.0, 1.0}


def test_children_differ_from_their_parent_and_each_other():
    parent = Streams(0, 4)
    draws = [s.randn((4, 8)) for s in (Streams(0, 4), parent.child(0), parent.child(1))]
    assert not torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[1], draws[2])


def test_shared_numbers_are_shared_by_all_parts():
    assert Streams(3, 10).shared() == Streams(3, range(5, 7)).shared()
    streams = Streams(3, 2)
    assert streams.shared() != streams.shared()


def test_a_torch_generator_seeds_streams_and_moves_on():
    g = torch.Generator().manual_seed(5)
    one, two = Streams.of(g, 3).randn((3, 2)), Streams.of(g, 3).randn((3, 2))
    assert not torch.equal(one, two)
    assert torch.equal(Streams.of(torch.Generator().manual_seed(5), 3).randn((3, 2)), one)
    streams = Streams(0, 3)
    assert Streams.of(streams, 3) is streams
    with pytest.raises(ValueError, match="3 random streams"):
        Streams.of(streams, 4)


def test_torch_generators_serve_as_ever():
    g = torch.Generator()
    torch.testing.assert_close(randn((2, 3), g.manual_seed(0)), torch.randn(2, 3, generator=g.manual_seed(0)))
    torch.testing.assert_close(rand((2, 3), g.manual_seed(0)), torch.rand(2, 3, generator=g.manual_seed(0)))
    x = torch.zeros(2, 3, dtype=torch.float64)
    assert randn_like(x, g).dtype == torch.float64
    assert randn_like(x, Streams(0, 2)).dtype == torch.float64
    with pytest.raises(ValueError, match="does not fit"):
        randn_like(x, Streams(0, 5))


def test_split_streams_are_the_same_however_many_there_are():
    streams, same = Streams(3, [4, 9]), Streams(3, [4, 9])
    three, two = streams.split(3).randn((6, 5)), same.split(2).randn((4, 5))
    assert torch.equal(three.unflatten(0, (2, 3))[:, :2].flatten(0, 1), two)
    assert len(three.unique(dim=0)) == 6
    assert not torch.equal(streams.split(2).randn((4, 5)), two)  # splitting again gives others
    alone = Streams(3, [9]).split(3).randn((3, 5))
    assert torch.equal(alone, three[3:])
