"""Work in threads, with its order and its memory bounded."""

import threading

import pytest

from soundalike.runtime.parallel import map_ahead


@pytest.mark.parametrize("workers", [1, 2, 7, None])
def test_results_are_in_the_order_of_the_items(workers: int | None):
    assert list(map_ahead(lambda n: n * n, range(50), workers=workers)) == [n * n for n in range(50)]


def test_nothing():
    assert list(map_ahead(abs, [])) == []


def test_order_holds_when_the_first_is_done_last():
    second_done = threading.Event()

    def wait_if_first(n: int) -> int:
        if n == 0:
            assert second_done.wait(30)
        else:
            second_done.set()
        return n

    assert list(map_ahead(wait_if_first, [0, 1], workers=2)) == [0, 1]


def test_workers_work_at_the_same_time():
    meeting = threading.Barrier(3, timeout=30)

    def meet(_: int) -> bool:
        meeting.wait()
        return True

    assert list(map_ahead(meet, range(3), workers=3)) == [True] * 3


def test_items_are_taken_as_results_are():
    taken = []

    def items():  # noqa: ANN202 - a generator of numbers
        for n in range(100):
            taken.append(n)
            yield n

    results = map_ahead(abs, items(), workers=2)
    assert next(results) == 0
    assert len(taken) <= 5
    assert next(results) == 1
    assert len(taken) <= 6
    results.close()


def test_an_error_comes_in_its_items_turn():
    def fail_at_two(n: int) -> int:
        if n == 2:
            raise ValueError("two")
        return n

    results = map_ahead(fail_at_two, range(10), workers=3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_no_thread_outlives_the_caller_who_stops_early():
    before = threading.active_count()
    results = map_ahead(abs, range(1000), workers=4)
    next(results)
    results.close()
    assert threading.active_count() == before
