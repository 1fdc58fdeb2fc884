"""The contract between the sidecar and the control plane. Standard library and PyJWT only; imports neither service."""
