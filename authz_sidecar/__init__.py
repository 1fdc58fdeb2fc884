"""The authz sidecar: answers nginx's auth_request subrequests from memory alone."""
