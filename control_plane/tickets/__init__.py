"""Tickets: making, importing, finding, counting and exporting them."""
