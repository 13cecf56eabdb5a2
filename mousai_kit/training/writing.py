"""Writing: a file at a time, in a thread of its own, while training goes on."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from mousai_kit.errors import MousaiError


class Writer:
    """Does one piece of writing at a time; what it can't write, it tells when asked."""

    def __init__(self) -> None:
        self._thread: Thread | None = None
        self._failure: BaseException | None = None

    def begin(self, work: Callable[[], None]) -> None:
        """Begin a piece of work, as soon as the one before is done.

        A second Ctrl-C leaves it unfinished: the file is then as it was before.
        """
        self.wait()
        self._failure = None
        self._thread = Thread(target=self._do, args=(work,), name="writing", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is being written."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def failure(self) -> MousaiError | None:
        """Return, once, why the last piece of work that has ended did not succeed."""
        failure, self._failure = self._failure, None
        if failure is None or isinstance(failure, MousaiError):
            return failure
        raise failure

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as failure:  # whatever it is, it is told in the main thread
            self._failure = failure
