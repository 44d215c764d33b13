from inference_worker.attribution.index_cost import index_cost, say


def test_the_cost_is_said_before() -> None:
    """SPEC 5.104: ten million rows of three checkpoints take less than 4.5 GB beside their adapter."""
    alone, ten = index_cost(0, 3, 460_800), index_cost(10_000_000, 3, 460_800)
    assert ten.index - alone.index < 4_500_000_000 and ten.on_disk == ten.index + ten.parts
    said = say(index_cost(1000, 1, 1000), 1000, 12.4)
    assert said.startswith("index of 1,000 rows: ") and "on disk" in said and said.endswith("about 12 s")
    assert "about" not in say(index_cost(1000, 1, 1000), 1000, None)
