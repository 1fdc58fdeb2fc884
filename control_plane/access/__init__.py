"""Access control and the audit log: every change goes through here and is recorded."""
