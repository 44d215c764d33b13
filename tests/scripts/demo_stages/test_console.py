import io
import time

from scripts.demo_stages import console as console_module
from scripts.demo_stages.console import Console


def test_a_long_step_is_seen_to_move(monkeypatch) -> None:
    """SPEC 0.81: a progress line never stands still for long."""
    monkeypatch.setattr(console_module, "HEARTBEAT_SECONDS", 0.02)
    out = io.StringIO()
    console = Console(out)
    with console.step("compile"):
        deadline = time.monotonic() + 5
        while "… compile, " not in out.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "… compile, " in out.getvalue()
    assert out.getvalue().rstrip().splitlines()[-1].strip().startswith("compile: done in")


def test_the_table_is_aligned() -> None:
    out = io.StringIO()
    Console(out).table([("datanet", "300", "rows"), ("governance", "2", "parameter versions")])
    first, second = out.getvalue().splitlines()
    assert first.index("rows") == second.index("parameter versions")
