"""Counters add up across threads and read as the text format says."""

import re
import threading

from inference_worker.metrics import HELP, PREFIX, Metrics

SAMPLE = re.compile(rf"{PREFIX}[a-z_]+(\{{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\}})? \d+")


def test_counts_of_all_threads_add_up():
    """SPEC 4.81"""
    metrics = Metrics()
    threads = [
        threading.Thread(target=lambda: [metrics.count("steps_total") for _ in range(500)]) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert metrics.value("steps_total") == 4000


def test_every_line_is_a_comment_or_a_sample():
    """SPEC 4.81"""
    metrics = Metrics()
    metrics.count("requests_total", route="/generate", status="200")
    metrics.count("requests_total", route="/health", status="401")
    lines = metrics.render({"running": 3, "adapter_bytes": 0}).splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples) and len(samples) == 4
    assert f"{PREFIX}running 3" in samples
    assert len([line for line in lines if line.startswith("# TYPE")]) == 3 <= len(HELP)
