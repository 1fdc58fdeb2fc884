"""Certificates for test servers."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str) -> Path:
    """Create a self-signed certificate for a name, with its key in the same file."""
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    output = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*command, *output], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file
