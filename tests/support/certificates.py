"""Certificates for receivers of the tests' own."""

import subprocess
from pathlib import Path


def certificate(folder: Path, name: str) -> Path:
    """Make a certificate for a name, signed by itself, with its key in the same file."""
    file, key = folder / f"{name}.pem", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}"]
    output = ["-addext", f"subjectAltName=DNS:{name}", "-keyout", str(key), "-out", str(file)]
    subprocess.run([*command, *output], check=True, capture_output=True)
    file.write_text(file.read_text() + key.read_text())
    return file
