"""What the documents say: their text, their code and the commands that they tell a reader to type, in their order."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "streams/README.md")),
    *sorted((ROOT / "deploy").rglob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
# In a block that is marked `sh` every line is a command; elsewhere, what begins with one of these and has arguments.
_PROGRAMS: Final = (
    "apt", "apt-get", "caddy", "cat", "cd", "chmod", "chown", "cloudflared", "cp", "crontab", "curl", "docker", "dpkg",
    "echo", "export", "ffmpeg", "ffprobe", "for", "git", "grep", "haproxy", "journalctl", "jq", "kill", "lint-imports",
    "ln", "logrotate", "make", "mkdir", "mv", "mypy", "nginx", "node", "nohup", "npm", "npx", "openssl", "perf",
    "pg_dump", "pip", "podman", "pre-commit", "printf", "promtool", "psql", "py-spy", "pytest", "python", "python3",
    "redis-cli", "rm", "rsync", "ruff", "scp", "sed", "sha256sum", "sqlite3", "ssh", "streamgate", "sudo", "systemctl",
    "tail", "tar", "until", "uv", "wget", "while",
)  # fmt: skip
_PROGRAM: Final = re.compile(rf"(?:\w+=\S+ )*(?:[\w./-]*/)?(?:{'|'.join(_PROGRAMS)}) \S")
_FENCE: Final = re.compile(r"^( *```.*?^ *```)$", re.MULTILINE | re.DOTALL)
_CODE: Final = re.compile(r"`([^`]+)`")
_SAME_PARAGRAPH: Final = re.compile(r"(?<!\n)\n(?!\n) *")
_UNIT: Final = re.compile(r"^Exec\w+=")  # a line of systemd


@cache
def text(document: Path) -> str:
    return document.read_text(encoding="utf-8")


@cache
def prose(document: Path) -> str:
    """Return the text without its blocks of code."""
    return _FENCE.sub("", text(document))


@cache
def code(document: Path) -> list[str]:
    """Return the text in backticks, and the lines of code blocks without comments."""
    return [line for _, line in _code(document)]


@cache
def commands(document: Path) -> list[str]:
    """Return what a reader is to type."""
    lines = ((is_command, _UNIT.sub("", line).replace(r"\|", "|")) for is_command, line in _code(document))
    return [line for is_command, line in lines if is_command or _PROGRAM.match(line)]


def _code(document: Path) -> Iterator[tuple[bool, str]]:
    """Yield each piece of code, and whether it is a command because its block is marked so."""
    for part in _FENCE.split(text(document)):
        if part.lstrip().startswith("```"):
            yield from _lines(part)
        else:
            yield from ((False, found) for found in _CODE.findall(_SAME_PARAGRAPH.sub(" ", part)))


def _lines(block: str) -> Iterator[tuple[bool, str]]:
    first, *rest = block.replace("\\\n", " ").splitlines()
    for line in rest[:-1]:
        if plain := line.split("  #")[0].strip():
            yield first.strip() == "```sh", plain
