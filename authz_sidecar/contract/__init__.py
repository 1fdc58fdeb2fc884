"""What the sidecar and the control plane agree on. Standard library and PyJWT only; imports neither service."""
