import json
import unittest

from comparison import google_benchmark


def report(*entries):
    return json.dumps({"context": {"num_cpus": 2}, "benchmarks": list(entries)})


class ParseTest(unittest.TestCase):
    def test_takes_counters_and_the_time_in_microseconds(self):
        parsed = google_benchmark.parse(report({
            "name": "exchange/push/shm/4KiB/iterations:21/manual_time", "run_type": "iteration",
            "iterations": 21, "real_time": 12.5, "cpu_time": 3.0, "time_unit": "us",
            "p50_us": 12.0, "limit_us": 6.0, "ratio": 0.5, "items_per_second": 7.0}))
        self.assertEqual(parsed.values["exchange/push/shm/4KiB"],
                         {"p50_us": 12.0, "limit_us": 6.0, "ratio": 0.5, "items_per_s": 7.0,
                          "time_us": 12.5})
        self.assertEqual(parsed.errors, {})

    def test_an_error_is_no_result(self):
        parsed = google_benchmark.parse(report({
            "name": "rows/pull/manual_time", "error_occurred": True,
            "error_message": "a row is wrong", "real_time": 1.0, "time_unit": "ns"}))
        self.assertEqual(parsed.values, {})
        self.assertEqual(parsed.errors, {"rows/pull": "a row is wrong"})

    def test_aggregates_are_left_out(self):
        parsed = google_benchmark.parse(report({
            "name": "a_mean", "run_type": "aggregate", "real_time": 1.0, "time_unit": "ns"}))
        self.assertEqual(parsed.values, {})

    def test_text_around_the_report_is_skipped(self):
        parsed = google_benchmark.parse(
            "a line\n" + report({"name": "a", "real_time": 2.0, "time_unit": "ms"}) + "\nan end")
        self.assertEqual(parsed.values, {"a": {"time_us": 2000.0}})

    def test_other_text_is_refused(self):
        for text in ("", "no JSON", "{}", '{"benchmarks": 3', "} {"):
            with self.assertRaises(ValueError):
                google_benchmark.parse(text)
