"""Work in a thread of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """Run in a separate thread: Playwright keeps an event loop running in the tests' thread, which asyncio refuses."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()
