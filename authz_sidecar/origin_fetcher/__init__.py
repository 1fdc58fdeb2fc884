"""Fetch files for nginx from origins, within limits on size and time, and relay only media files."""
