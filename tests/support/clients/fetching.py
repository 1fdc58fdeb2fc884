"""Many viewers who request the same file, at the same moment or repeatedly."""

import asyncio
import time

import httpx2

from tests.support.threads import in_thread


def fetch_together(url: str, token: str, viewers: int, timeout: float = 60) -> list[httpx2.Response]:
    """Request `url` for that many viewers at once, each on its own connection."""

    async def fetch() -> list[httpx2.Response]:
        limits = httpx2.Limits(max_connections=viewers)
        async with httpx2.AsyncClient(timeout=timeout, limits=limits) as client:
            headers = {"Authorization": f"Bearer {token}"}
            return list(await asyncio.gather(*(client.get(url, headers=headers) for _ in range(viewers))))

    return in_thread(lambda: asyncio.run(fetch()))


def fetch_on_and_on(url: str, token: str, viewers: int, seconds: float) -> list[tuple[float, httpx2.Response]]:
    """Let that many viewers request `url` repeatedly; return each answer with the time of its request."""
    answers: list[tuple[float, httpx2.Response]] = []

    async def watch(client: httpx2.AsyncClient, end: float) -> None:
        while time.monotonic() < end:
            asked_at = time.time()
            answers.append((asked_at, await client.get(url)))

    async def fetch() -> None:
        headers, limits = {"Authorization": f"Bearer {token}"}, httpx2.Limits(max_connections=viewers)
        async with httpx2.AsyncClient(timeout=60, limits=limits, headers=headers) as client:
            end = time.monotonic() + seconds
            await asyncio.gather(*(watch(client, end) for _ in range(viewers)))

    in_thread(lambda: asyncio.run(fetch()))
    return answers
