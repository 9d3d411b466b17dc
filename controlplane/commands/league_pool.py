"""The league's tasks on processes: each prepares a case once and plays policies on it."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor, wait
from functools import lru_cache

from controlplane.adapters.clock import monotonic_s
from controlplane.simulation.league.cases import Case, prepared
from controlplane.simulation.league.rows import Row
from controlplane.simulation.league.runner import Bench, Task, play_task

Outcome = tuple[Task, Row | BaseException]


def played(tasks: Sequence[Task], jobs: int) -> Iterator[Outcome]:
    """Rows, or what was raised instead, as they come. With one job everything is done in this process.

    A process that dies fails what it played and what is left; the rows before it are not lost.
    """
    pool = _pool(min(jobs, len(tasks)))
    running: dict[Future[Row], Task] = {}
    try:
        running = {pool.submit(_play, task): task for task in tasks}
        while running:
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                error = future.exception()
                yield running.pop(future), error if error is not None else future.result()
    finally:
        pool.shutdown(wait=not running, cancel_futures=True)


def _pool(jobs: int) -> Executor:
    if jobs <= 1:
        return ThreadPoolExecutor(1)
    # Started afresh: a fork would copy the threads' locks of a progress bar and of numeric libraries, held or not.
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def _play(task: Task, stopwatch: Callable[[], float] = monotonic_s) -> Row:
    return play_task(_bench(task.case), task.policy, stopwatch)


@lru_cache(maxsize=1)
def _bench(case: Case) -> Bench:
    """Tasks come case by case, so that one is remembered."""
    return Bench(case, *prepared(case))
