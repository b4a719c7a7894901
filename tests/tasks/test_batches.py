import pytest
import torch

from unveil.core.random import Streams
from unveil.tasks.batches import batches


@pytest.mark.parametrize("size", [1, 3, 4, 100])
def test_a_row_draws_the_same_at_any_size_and_wherever_rows_begin(size):
    parts = [streams.randn((len(rows), 2)) for rows, streams, _ in batches(range(2, 9), size, 5, lambda *_: None)]
    assert torch.equal(torch.cat(parts), Streams(5, 9).randn((9, 2))[2:])


def test_all_rows_come_once_in_order_and_none_of_none():
    assert [list(rows) for rows, _, _ in batches(range(4, 9), 2, 0, lambda *_: None)] == [[4, 5], [6, 7], [8]]
    assert not list(batches(range(0), 2, 0, lambda *_: None))


def test_steps_of_a_batch_are_steps_of_the_whole():
    told = []
    for _, _, tell in list(batches(range(5), 2, 0, lambda *far: told.append(far))):
        tell(1, 2)
        tell(2, 2)
    assert told == [(done, 6) for done in range(1, 7)]
