"""Tickets: creating, importing, finding, counting and exporting them."""
