"""The sidecar's authorization as a plain Starlette endpoint, for comparison: the same verification, with request and
response objects, a route, and uvicorn's own HTTP protocol class.
"""

import argparse
import time

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from authz_sidecar.carriers import token_of
from authz_sidecar.contract.fingerprint import fingerprint
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.gate import MediaRequest, Reason, decide
from authz_sidecar.revocations import Revocations
from authz_sidecar.serving import KEEP_ALIVE_SECONDS
from authz_sidecar.settings import SidecarSettings

_VERIFIER = Verifier(SidecarSettings().open_keys())
_REVOCATIONS = Revocations()
_UNAUTHORIZED = {Reason.MISSING, Reason.INVALID}


async def authorize(request: Request) -> Response:
    headers = dict(request.headers.raw)
    media_request = MediaRequest(token_of(headers), request.headers["x-gate-path"], request.headers["x-gate-method"])
    refusal, claims = decide(media_request, _VERIFIER.verify, _REVOCATIONS, time.time())
    ticket_header = {"X-Gate-Ticket": fingerprint(claims.sub)} if claims and claims.sub else {}
    if refusal is None:
        return Response(status_code=204, headers=ticket_header)
    return Response(
        status_code=401 if refusal in _UNAUTHORIZED else 403, headers=ticket_header | {"X-Gate-Reason": refusal}
    )


async def health(_request: Request) -> Response:
    return Response("ok")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uds", required=True)
    uvicorn.run(
        Starlette(routes=[Route("/authorize", authorize), Route("/health", health)]),
        uds=parser.parse_args().uds,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


if __name__ == "__main__":
    main()
