"""HTTP for all audiences: endpoints, authentication, errors and what is read from a request."""
