"""Many viewers at once: the same file asked for by all of them at the same moment."""

import asyncio

import httpx2

from tests.support.stack import apart


def fetch_together(url: str, token: str, viewers: int, timeout: float = 60) -> list[httpx2.Response]:
    """Ask for `url` by that many viewers at once, each on a connection of its own."""

    async def fetch() -> list[httpx2.Response]:
        limits = httpx2.Limits(max_connections=viewers)
        async with httpx2.AsyncClient(timeout=timeout, limits=limits) as client:
            headers = {"Authorization": f"Bearer {token}"}
            return list(await asyncio.gather(*(client.get(url, headers=headers) for _ in range(viewers))))

    return apart(lambda: asyncio.run(fetch()))
