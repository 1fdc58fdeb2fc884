"""Processes and databases for tests: a whole StreamGate, or a part of it, and real neighbours."""
