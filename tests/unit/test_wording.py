"""The project is written in plain, current English: words that a newcomer would have to learn do not come back."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BANNED = (
    *("anew", "dear", "dearest", "deed", "deeds", "he", "him", "himself", "his", "hitherto", "lest", "mend", "mended"),
    *("parcel", "thither", "unto", "whomever", "could be had", "of whom", "to whom", "was told"),
)
ALLOWED = re.compile(r"CHANGELOG\.md|LICENSE|/vendor/|/locales/|\.lock$|test_wording\.py|package-lock\.json")
TEXT = {".py", ".md", ".html", ".js", ".css", ".conf", ".sh", ".yml", ".yaml", ".toml", ".mjs", ""}


def documents() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    return [ROOT / name for name in listed if name and not ALLOWED.search(name) and Path(name).suffix in TEXT]


@pytest.mark.parametrize("word", BANNED)
def test_a_banned_word_is_used_nowhere(word: str) -> None:
    pattern = re.compile(rf"(?<![\w-]){word}(?![\w-])", re.IGNORECASE)
    found = [
        f"{file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in documents()
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert found == []
