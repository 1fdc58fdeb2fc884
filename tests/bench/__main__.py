"""Run every benchmark (`make bench`). Exit with an error if a target was missed."""

from tests.bench import costs, doors, fan_out, gate, revocation, search, sidecar, sign_in, targets

targets.run(
    gate.main,
    lambda: revocation.main([]),
    lambda: fan_out.main([]),
    sidecar.main,
    lambda: costs.main([]),
    lambda: doors.main([]),
    lambda: search.main([]),
    sign_in.main,
)
