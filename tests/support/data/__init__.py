"""Rows, tokens, keys and files made by hand."""
