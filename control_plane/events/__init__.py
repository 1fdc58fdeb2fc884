"""Events: making, changing and deleting them, and what that does to their tickets."""
