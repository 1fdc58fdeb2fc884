"""The contract between the sidecar and the control plane. No framework; imports neither service."""
