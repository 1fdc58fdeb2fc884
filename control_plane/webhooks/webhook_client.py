"""The HTTP client of one webhook: posts signed messages to an address that was checked just before, and no other.

Redirects are not followed and proxies are not used; only the status of a response matters. Messages are signed as in
Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 of "id.timestamp.body".
"""

import hmac
import secrets
import ssl
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import anyio
import httpx2

from control_plane.webhooks import destinations
from control_plane.webhooks.destinations import Address, Destination, DestinationRefused

TIMEOUT_SECONDS: Final = 10.0
_CONNECT_SECONDS: Final = 4.0
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - only the prefix
_SECRET_BYTES: Final = 32
_MOST_ADDRESSES: Final = 3
_MAX_DRAIN_SECONDS: Final = 1.0
_MAX_DRAIN_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class PostResult:
    """The result of a post: `error` is None if the message was accepted."""

    status: int | None
    error: str | None


def new_secret() -> str:
    return _SECRET_PREFIX + b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    key = b64decode(secret.removeprefix(_SECRET_PREFIX))
    return f"v1,{b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


class WebhookClients:
    """Opens clients. The list of trusted certificate authorities is loaded once, because that is slow."""

    def __init__(
        self, *, allow_private: bool, tls: ssl.SSLContext | None = None, timeout: float = TIMEOUT_SECONDS
    ) -> None:
        self._allow_private = allow_private
        self._tls = tls
        self._timeout = timeout

    @asynccontextmanager
    async def open(self, url: str, secret: str) -> AsyncIterator["WebhookClient"]:
        """Provide a client for one lease: its connection is never shared with another host name."""
        if self._tls is None:
            self._tls = await anyio.to_thread.run_sync(ssl.create_default_context)
        timeout = httpx2.Timeout(None, connect=_CONNECT_SECONDS)  # the post as a whole has a time-out of its own
        async with httpx2.AsyncClient(verify=self._tls, trust_env=False, timeout=timeout) as client:
            yield WebhookClient(client, url, secret, self._timeout, allow_private=self._allow_private)


class WebhookClient:
    def __init__(
        self, client: httpx2.AsyncClient, url: str, secret: str, timeout: float, *, allow_private: bool
    ) -> None:
        self._client = client
        self._timeout = timeout
        self._url = url
        self._secret = secret
        self._allow_private = allow_private
        self._destination: Destination | None = None
        self._addresses: list[Address] = []

    async def post(self, message_id: str, text: str, now: datetime) -> PostResult:
        """Post a message within the time-out. Raise nothing, unless cancelled."""
        try:
            with anyio.fail_after(self._timeout):
                return _result_of(await self._post(message_id, text.encode(), int(now.timestamp())))
        except DestinationRefused as refusal:
            return PostResult(None, str(refusal))
        except (TimeoutError, httpx2.TimeoutException):
            return PostResult(None, f"No answer within {self._timeout:g} seconds.")
        except httpx2.ConnectError as error:
            return PostResult(None, f"No connection: {error}")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return PostResult(None, f"Invalid response ({type(error).__name__}).")

    async def _post(self, message_id: str, body: bytes, timestamp: int) -> int:
        destination = await self._resolve()
        headers = {
            "Host": destination.authority,
            "User-Agent": "StreamGate",
            "Content-Type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id, timestamp, body),
        }
        while True:
            try:
                return await self._send(destination, self._addresses[0], headers, body)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if len(self._addresses) == 1:
                    raise
                del self._addresses[0]

    async def _resolve(self) -> Destination:
        """Resolve and check the destination, once per lease."""
        if self._destination is None:
            destination = destinations.parse(self._url)
            found = await destinations.resolve(destination, allow_private=self._allow_private)
            self._addresses, self._destination = found[:_MOST_ADDRESSES], destination
        return self._destination

    async def _send(self, to: Destination, address: Address, headers: dict[str, str], body: bytes) -> int:
        """Connect to the address; the host name is for the receiver and for its certificate."""
        url = f"{to.scheme}://{destinations.bracketed(str(address))}:{to.port}{to.target}"
        extensions = {"sni_hostname": to.host}
        async with self._client.stream("POST", url, headers=headers, content=body, extensions=extensions) as response:
            await _drain(response)
            return response.status_code


async def _drain(response: httpx2.Response) -> None:
    """Read the body, if it is short and arrives soon: then the connection can be reused for the next message."""
    read = 0
    with anyio.move_on_after(_MAX_DRAIN_SECONDS):
        try:
            async for part in response.aiter_raw():
                read += len(part)
                if read > _MAX_DRAIN_BYTES:
                    return
        except httpx2.HTTPError:
            return


def _result_of(status: int) -> PostResult:
    if httpx2.codes.is_success(status):
        return PostResult(status, None)
    if httpx2.codes.is_redirect(status):
        return PostResult(status, f"Answered {status}; redirects are not followed.")
    return PostResult(status, f"Answered {status}.")
