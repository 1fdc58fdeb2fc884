"""Streams and pictures, and origins that serve them, well or badly."""
