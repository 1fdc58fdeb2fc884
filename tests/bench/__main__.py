"""Runs every benchmark: `make bench`."""

from tests.bench import gate, revocation, sidecar

gate.main()
revocation.main([])
sidecar.main()
