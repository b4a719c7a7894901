import threading

import numpy as np
import pytest

from unveil.training.order import Order, Purpose, seed_for
from unveil.training.prefetch import ahead


@pytest.mark.parametrize(("size", "batch_size"), [(10, 5), (10, 4), (10, 10), (3, 8), (1, 4), (7, 1)])
def test_every_epoch_visits_each_sample_once_and_none_is_dropped(size, batch_size):
    order = Order(size, batch_size, seed=5)
    epochs = 12
    flat = np.concatenate([order.batch(step) for step in range(epochs * size // batch_size + 1)])
    for number in range(epochs):
        epoch = flat[number * size : (number + 1) * size]
        assert sorted(epoch) == list(range(size))
        assert np.array_equal(epoch, order.epoch(number))


def test_a_batch_is_a_plain_function_of_seed_stage_and_step():
    walked = Order(100, 7, seed=5, stage=1)
    batches = [walked.batch(step) for step in range(60)]
    for step in (59, 0, 31, 13):  # in any order, from the middle of an epoch too
        assert np.array_equal(Order(100, 7, seed=5, stage=1).batch(step), batches[step])
    assert not np.array_equal(Order(100, 7, seed=6, stage=1).batch(0), batches[0])
    assert not np.array_equal(Order(100, 7, seed=5, stage=2).batch(0), batches[0])
    assert not np.array_equal(walked.epoch(0), walked.epoch(1))


def test_seeds_for_different_things_differ():
    places = [
        (seed, stage, step, purpose, process)
        for seed in (0, 1)
        for stage in (0, 1)
        for step in (0, 1, 2**32)
        for purpose in Purpose
        for process in (0, 1)
    ]
    assert len({seed_for(*place) for place in places}) == len(places)


def test_fetching_ahead_keeps_the_order_and_goes_no_further():
    fetched, threads = [], set()

    def fetch(step):
        fetched.append(step)
        threads.add(threading.get_ident())
        return step**2

    assert list(ahead(fetch, range(3, 9))) == [(step, step**2) for step in range(3, 9)]
    assert fetched == list(range(3, 9))
    assert len(threads) == 1
    assert threads != {threading.get_ident()}
    assert list(ahead(fetch, range(0))) == []


def test_an_error_while_fetching_is_raised_at_its_step():
    def fetch(step):
        if step == 2:
            raise OSError("the disk is gone")
        return step

    steps = ahead(fetch, range(5))
    assert [next(steps), next(steps)] == [(0, 0), (1, 1)]
    with pytest.raises(OSError, match="the disk is gone"):
        next(steps)


def test_leaving_early_stops_the_fetching():
    fetched = []
    steps = ahead(lambda step: fetched.append(step), range(1000))
    next(steps)
    steps.close()
    assert len(fetched) <= 4
    assert not any(thread.name.startswith("unveil-data") for thread in threading.enumerate())
