"""A pipe that takes tokens, codes and cookies out of log lines: `nginx 2>&1 | python -m authz_sidecar.redact`."""

import sys

from authz_sidecar.contract.redaction import redact


def main() -> None:
    for line in sys.stdin:
        sys.stdout.write(redact(line))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
