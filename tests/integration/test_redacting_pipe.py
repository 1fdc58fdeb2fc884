"""`nginx 2>&1 | python -m authz_sidecar.redact`: the filter runs as long as its input, with any bytes."""

import os
import subprocess
import sys

import pytest

from tests.support.data.forging import good_token

TOKEN = good_token()
LINES = b'[error] request: "GET /x\xff HTTP/1.1"\n' + f"\xfc {TOKEN} \u65e5\n[error] the last one".encode()


@pytest.mark.parametrize("encoding", ["utf-8:strict", "ascii:strict"])
def test_bytes_that_are_not_text_do_not_end_it(encoding: str) -> None:
    told = subprocess.run(
        [sys.executable, "-m", "authz_sidecar.redact"],
        input=LINES,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=30,
    )
    assert (told.returncode, told.stderr) == (0, b"")
    lines = told.stdout.decode().splitlines()
    assert lines == [r'[error] request: "GET /x\xff HTTP/1.1"', "\xfc [token] \u65e5", "[error] the last one"]
