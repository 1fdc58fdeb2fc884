"""The fetcher's metrics: responses, bytes and truncated responses, without any names."""

from collections.abc import Iterator

import httpx2
import pytest

from authz_sidecar.contract.origin_settings import OriginSettings
from authz_sidecar.origin_fetcher.app import Fetcher, create_app
from tests.support.media.origin import Origin, Reply

pytestmark = pytest.mark.anyio


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as origin:
        yield origin


async def get(fetcher: Fetcher, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(fetcher), base_url="http://fetcher") as nginx:
        return await nginx.get(path)


async def test_answers_and_bytes_are_counted_by_status_alone(origin: Origin) -> None:
    event_id = origin.add_event()
    origin.answer(f"/{event_id}/3.ts", Reply(403))
    fetcher = create_app(OriginSettings.read({"UPSTREAM_ORIGIN": origin.url}), None)
    asked = [await get(fetcher, f"/{event_id}/{name}") for name in ("1.ts", "2.ts", "3.ts", "none.ts")]
    told = (await get(fetcher, "/metrics")).text
    await fetcher.transport.aclose()
    assert [answer.status_code for answer in asked] == [200, 200, 502, 404]
    for status, count in (("200", 2), ("502", 1), ("404", 1)):
        assert f'streamgate_origin_answers_total{{status="{status}"}} {count}.0' in told
    assert f"streamgate_origin_bytes_total {sum(len(answer.content) for answer in asked)}.0" in told
    assert "streamgate_origin_fetches 0.0" in told
    assert not [word for word in (event_id, str(origin.port), "1.ts") if word in told]
