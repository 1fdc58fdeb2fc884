"""Runs every benchmark: `make bench`."""

from tests.bench import doors, gate, revocation, search, sidecar, sign_in

gate.main()
revocation.main([])
sidecar.main()
doors.main([])
search.main([])
sign_in.main()
