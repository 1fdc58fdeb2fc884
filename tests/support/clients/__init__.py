"""Clients over HTTP: organisers, viewers, sidecars and strangers."""
