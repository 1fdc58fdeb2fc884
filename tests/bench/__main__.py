"""Runs every benchmark: `make bench`."""

from tests.bench import gate

gate.main()
