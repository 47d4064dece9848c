from server.stores.histogram import Histogram


def test_each_value_is_in_the_first_bucket_whose_bound_it_does_not_exceed():
    histogram = Histogram((0.5, 1.0))
    for seconds in (0.0, 0.5, 0.75, 1.0, 1.25, 100.0):
        histogram.add(seconds)
    assert histogram.counts == [2, 2, 2]
    assert histogram.sum_s == 103.5


def test_histogram_without_bounds_counts_all():
    histogram = Histogram(())
    histogram.add(3.0)
    assert (histogram.counts, histogram.sum_s) == ([1], 3.0)
