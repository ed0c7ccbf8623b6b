"""Rows left out of lists, counted: what becomes of the counts between processes."""

import pickle

from advanced_mm.bad_rows import BadRow, BadRows


def test_counts_go_with_the_strategy_into_another_process():
    """Hyperopt pickles the strategy, which holds such counts."""
    rows = BadRows([BadRow("trades", "size 'NaN'", 3)])
    copy = pickle.loads(pickle.dumps(rows))
    copy.add("trades", "price 'NaN'")
    assert (rows.count("trades"), copy.count("trades")) == (3, 4)
    assert str(copy) == "4 bad trades rows (last: price 'NaN')"
