"""Fetch files for nginx from origins, within limits on size and time, and pass on nothing but media."""
