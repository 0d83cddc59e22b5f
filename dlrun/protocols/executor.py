"""Where the parts of an experiment are trained: in this process, one after the other.

Any other `concurrent.futures.Executor` may take its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class InThisProcess(Executor):
    """Runs what it is given at once."""

    def submit(
        self, function: Callable[..., Result], /, *arguments: Any, **options: Any
    ) -> Future[Result]:
        """Call a function now; return its result, or what it raised, as a future."""
        future: Future[Result] = Future()
        try:
            future.set_result(function(*arguments, **options))
        except BaseException as error:
            future.set_exception(error)
        return future

    def map(
        self,
        function: Callable[..., Result],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        chunksize: int = 1,
    ) -> Iterator[Result]:
        """Yield a function's results in order; each call waits until its result is asked for, so
        that a caller who stops asking stops the work."""
        return map(function, *iterables)
