"""The authz sidecar: answers nginx's question "may this request be served?" from memory alone."""
