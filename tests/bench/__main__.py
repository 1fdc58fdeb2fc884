"""Runs every benchmark: `make bench`."""

from tests.bench import doors, gate, revocation, sidecar

gate.main()
revocation.main([])
sidecar.main()
doors.main([])
