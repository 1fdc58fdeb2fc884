"""HTTP code shared by all audiences: endpoints, authentication, errors and reading requests."""
