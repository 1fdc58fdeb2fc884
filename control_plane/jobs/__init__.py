"""Work that one process at a time does."""
