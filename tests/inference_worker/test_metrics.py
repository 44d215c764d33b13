from inference_worker.metrics import Metrics


def test_counters_add_up_and_render_with_escaped_labels() -> None:
    metrics = Metrics()
    metrics.add("answers_total", lane='a"b')
    metrics.add("answers_total", 2, lane='a"b')
    with metrics.timed("attribute"):
        pass
    assert metrics.value("answers_total", lane='a"b') == 3
    assert 'answers_total{lane="a\\"b"} 3\n' in metrics.render()
    assert "attribute_total 1\n" in metrics.render()
