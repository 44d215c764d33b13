"""Write tests/vectors/*.json from the rules, or with --check say what has drifted and exit 1."""

import argparse
import difflib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "vectors"

# Run as a file, only scripts/ itself is on the path.
sys.path.insert(0, str(ROOT))

from scripts.vectors_build import vectors  # noqa: E402


def rendered() -> dict[Path, str]:
    """Each file's path and what it should hold."""
    return {
        FOLDER / f"{name}.json": json.dumps(make(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        for name, make in vectors().items()
    }


def drift() -> str:
    """A unified diff from the files to the rules; empty when they agree."""
    lines: list[str] = []
    for path, wanted in rendered().items():
        found = path.read_text(encoding="utf-8") if path.exists() else ""
        lines += difflib.unified_diff(
            found.splitlines(keepends=True),
            wanted.splitlines(keepends=True),
            f"{path.name} (file)",
            "(rules)",
            n=1,
        )
    return "".join(lines)


def main() -> int:
    """0 when the files were written or agree, 1 on drift."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 on drift")
    if parser.parse_args().check:
        difference = drift()
        sys.stdout.write(difference)
        return 1 if difference else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for path, text in rendered().items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
