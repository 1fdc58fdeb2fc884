"""A control plane that waits for Redis however busy this machine is: `python -m tests.support.patient_plane`."""

from unittest.mock import patch

from control_plane.__main__ import main

if __name__ == "__main__":
    with patch("control_plane.limits.shared_limits.PATIENCE_SECONDS", 10):
        main()
