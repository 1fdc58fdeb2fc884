"""Real browsers and players."""
