"""A filter that removes tokens, codes and cookies from log lines: `nginx 2>&1 | python -m authz_sidecar.redact`.

It reads bytes and never ends before its input does: nginx logs what a client sent, which need not be UTF-8.
"""

import sys

from authz_sidecar.contract.redaction import redact


def main() -> None:
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(redact(line.decode(errors="backslashreplace")).encode())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
