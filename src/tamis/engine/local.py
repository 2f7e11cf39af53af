"""Fragments on the threads of this machine."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from tamis.engine.resources import threads_available

__all__ = ["Local", "grant"]

T = TypeVar("T")
R = TypeVar("R")

_granted: int | None = None


def grant(threads: int) -> None:
    """Say how many threads an engine has that is not told: what the user granted this process."""
    global _granted
    _granted = threads


class Local:
    """A pool of threads over fragments, with a bounded number of them in memory.

    Parameters
    ----------
    threads : int, optional
        Worker threads; default what the machine (or its cgroup) grants.
    in_flight : int, optional
        Fragments held at once by `map`; default `threads + 1`. This bounds memory.
    """

    def __init__(self, threads: int | None = None, in_flight: int | None = None) -> None:
        self.threads = threads or _granted or threads_available()
        self.in_flight = in_flight or self.threads + 1

    def map(self, function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[R]:
        """Yield `function(task)` for each task, in the order of the tasks.

        Tasks are drawn lazily: at most `in_flight` are started and not yet yielded. The first
        error stops the drawing and is raised once the running tasks have ended.
        """
        with ThreadPoolExecutor(self.threads, thread_name_prefix="tamis") as pool:
            pending: deque[Future[R]] = deque()
            try:
                for task in tasks:
                    pending.append(pool.submit(function, task))
                    while len(pending) >= self.in_flight:
                        yield pending.popleft().result()
                while pending:
                    yield pending.popleft().result()
            finally:
                for future in pending:
                    future.cancel()

    def unordered(self, function: Callable[[T], R], streams: Iterable[Iterator[T]]) -> Iterator[R]:
        """Yield `function(task)` for every task of several streams, as they end.

        Drawing from a stream may itself be work (decompression), so the workers draw: each
        stream by one worker at a time, and a worker that has drawn a task runs it while another
        draws on. At most one task a worker is in memory.
        """
        workers = _Workers(function, deque(streams), self.threads)
        return workers.results()


class _Workers:
    """The threads behind `Local.unordered`."""

    def __init__(self, function: Callable, streams: deque, threads: int) -> None:  # type: ignore[type-arg]
        self.function = function
        self.streams = streams
        self.free = threading.Condition()
        self.drawing = 0
        self.stopped = False
        self.ended: queue.SimpleQueue = queue.SimpleQueue()  # type: ignore[type-arg]
        self.threads = [threading.Thread(target=self._work, name=f"tamis-{i}") for i in range(threads)]

    def results(self) -> Iterator:  # type: ignore[type-arg]
        running = len(self.threads)
        try:
            for thread in self.threads:
                thread.start()
            while running:
                kind, value = self.ended.get()
                if kind == "exit":
                    running -= 1
                elif kind == "error":
                    raise value
                else:
                    yield value
        finally:
            with self.free:
                self.stopped = True
                self.free.notify_all()
            for thread in self.threads:
                if thread.ident is not None:  # an interruption may come before the last is started
                    thread.join()

    def _draw(self) -> tuple[object] | None:
        """Return the next task in a tuple, or None when every stream has ended."""
        while True:
            with self.free:
                while not self.streams and self.drawing and not self.stopped:
                    self.free.wait()
                if self.stopped or not self.streams:
                    return None
                stream = self.streams.popleft()
                self.drawing += 1
            task, more = None, False
            try:
                task = next(stream)
                more = True
            except StopIteration:
                pass
            finally:
                with self.free:
                    self.drawing -= 1
                    if more:  # back to the front: few streams open at a time
                        self.streams.appendleft(stream)
                    self.free.notify_all()
            if more:
                return (task,)

    def _work(self) -> None:
        try:
            while (task := self._draw()) is not None:
                self.ended.put(("value", self.function(task[0])))
        except BaseException as error:
            with self.free:
                self.stopped = True
                self.free.notify_all()
            self.ended.put(("error", error))
        finally:
            self.ended.put(("exit", None))
