from inference_worker.evaluation.general_questions import general_questions


def test_each_line_is_one_question_with_its_answer() -> None:
    """SPEC 5.227"""
    found = general_questions()
    assert len(found) >= 12 and len({one.prompt for one in found}) == len(found)
    assert all(one.prompt.strip() and one.completion.strip() for one in found)
