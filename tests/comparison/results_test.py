import pathlib
import tempfile
import unittest

from comparison.results import Results, quotient, summarize


class SummaryTest(unittest.TestCase):
    def test_is_the_median_with_least_and_most(self):
        summary = summarize({0: 5.0, 1: 1.0, 2: 3.0})
        self.assertEqual((summary.median, summary.low, summary.high, summary.count), (3, 1, 5, 3))

    def test_of_an_even_number_is_the_middle_of_two(self):
        self.assertEqual(summarize({0: 1.0, 1: 2.0}).median, 1.5)

    def test_of_nothing_is_nothing(self):
        self.assertIsNone(summarize({}))


class QuotientTest(unittest.TestCase):
    def test_pairs_values_of_the_same_repetition(self):
        self.assertEqual(quotient({0: 6.0, 1: 8.0}, {0: 2.0, 1: 4.0}), {0: 3.0, 1: 2.0})

    def test_leaves_out_repetitions_that_one_side_lacks(self):
        self.assertEqual(quotient({0: 6.0, 2: 8.0}, {1: 2.0, 2: 4.0}), {2: 2.0})

    def test_leaves_out_a_divisor_of_zero(self):
        self.assertEqual(quotient({0: 6.0}, {0: 0.0}), {})


class ResultsTest(unittest.TestCase):
    def test_are_the_same_after_saving(self):
        results = Results(date="2026-11-22", repetitions=2, skipped={"peer": "no network"})
        results.add("training/mlp/local", "items_per_s", 0, 7000.0)
        results.add("training/mlp/local", "items_per_s", 1, 7200.5)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "deep", "results.json")
            results.save(path)
            self.assertEqual(Results.load(path), results)
            self.assertEqual([one.name for one in path.parent.iterdir()], [path.name])

    def test_take_no_value_that_is_no_number(self):
        results = Results()
        results.add("a", "ratio", 0, float("nan"))
        self.assertEqual(results.of("a", "ratio"), {})

    def test_of_another_file_are_refused_by_its_name(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "other.json")
            for text in ("{}", "[]", "no JSON", '{"format": 99}', '{"format": 1, "values": 3}'):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(ValueError, "other.json"):
                    Results.load(path)
