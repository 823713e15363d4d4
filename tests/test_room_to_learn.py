from benchmarks.room_to_learn import room
from stagelift.evals.data.schoolmath import problems

# three problems, of three templates
ASKED = problems("validation", 3)


def test_a_group_has_a_signal_where_some_samples_are_right_and_some_wrong() -> None:
    groups = [[True] * 8, [False] * 7 + [True], [True] * 4 + [False] * 4]
    table = room(ASKED, [True, False, False], groups)
    assert table.columns[2:] == ("greedy", "sampled", "pass@8", "signal", "teaches most")
    assert table.rows[-1] == ("all", 3, 33.3, 54.2, 100.0, 66.7, 33.3)


def test_every_template_has_a_row_of_its_own() -> None:
    table = room(ASKED, [True, False, False], [[True], [False], [False]])
    assert [row[0] for row in table.rows] == [*(p.template for p in ASKED), "all"]
    assert [row[2] for row in table.rows] == [100.0, 0.0, 0.0, 33.3]
