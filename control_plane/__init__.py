"""The control plane: codes, viewing sessions, the viewer portal and the admin console."""
