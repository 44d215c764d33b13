"""The golden vectors are what the rules give; the drift check itself can fail."""

import json
import subprocess
import sys

from scripts import update_vectors
from scripts.vectors_build import vectors


def test_vectors_have_not_drifted():
    """SPEC 0.20"""
    assert update_vectors.drift() == ""


def test_every_file_has_a_builder():
    """SPEC 0.20"""
    assert {path.stem for path in update_vectors.FOLDER.glob("*.json")} == set(vectors())


def test_drift_is_noticed(tmp_path, monkeypatch):
    """SPEC 0.20: one changed digit in one file."""
    monkeypatch.setattr(update_vectors, "FOLDER", tmp_path)
    for path, text in update_vectors.rendered().items():
        path.write_text(text, encoding="utf-8")
    assert update_vectors.drift() == ""
    victim = tmp_path / "split.json"
    case = json.loads(victim.read_text(encoding="utf-8"))
    case["cases"][0]["paid"] = "1000000000000001"
    victim.write_text(json.dumps(case, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert "1000000000000001" in update_vectors.drift()


def test_the_script_runs_as_a_file():
    """SPEC 0.20: as a user runs it, from anywhere."""
    script = update_vectors.ROOT / "scripts" / "update_vectors.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"], cwd="/", capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
