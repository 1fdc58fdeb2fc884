"""A control plane with a long timeout for Redis, for busy machines: `python -m` this module."""

from unittest.mock import patch

from control_plane.__main__ import main

if __name__ == "__main__":
    with patch("control_plane.limits.shared_limits.TIMEOUT_SECONDS", 10):
        main()
