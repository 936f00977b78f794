import unittest

from comparison import lines
from comparison.results import Results


def results_of(**metrics):
    results = Results()
    for name, value in metrics.items():
        result, _, metric = name.partition("__")
        for repetition, one in enumerate(value):
            results.add(result, metric, repetition, one)
    return results


RATIO = lines.Metric("push", "ratio")


class JudgeTest(unittest.TestCase):
    def test_the_median_decides(self):
        check = lines.Check("push", RATIO, 0.7)
        self.assertIs(lines.judge(check, results_of(push__ratio=[0.1, 0.7, 0.9])).met, True)
        self.assertIs(lines.judge(check, results_of(push__ratio=[0.1, 0.69, 0.9])).met, False)

    def test_a_figure_may_be_at_most(self):
        check = lines.Check("push", RATIO, 3.0, at_least=False)
        self.assertIs(lines.judge(check, results_of(push__ratio=[3.0])).met, True)
        self.assertIs(lines.judge(check, results_of(push__ratio=[3.1])).met, False)

    def test_what_was_not_measured_is_neither(self):
        verdict = lines.judge(lines.Check("push", RATIO, 0.7), Results())
        self.assertIsNone(verdict.met)
        self.assertEqual(verdict.word, "not measured")

    def test_a_figure_may_be_asked_of_one_kind_of_processor(self):
        check = lines.Check("keys", RATIO, 2.0, processor="EPYC")
        results = results_of(push__ratio=[1.0])
        results.machine["processor"] = "another one"
        verdict = lines.judge(check, results)
        self.assertIsNone(verdict.met)
        self.assertEqual((verdict.summary.median, verdict.word), (1.0, "asked of an EPYC only"))
        results.machine["processor"] = "AMD EPYC 9B14"
        self.assertIs(lines.judge(check, results).met, False)

    def test_figures_are_scaled_into_the_unit_of_the_threshold(self):
        check = lines.Check("time", lines.Metric("start", "p50_us"), 1.0, at_least=False, unit="s",
                            scale=1e-6)
        verdict = lines.judge(check, results_of(start__p50_us=[0.9e6]))
        self.assertAlmostEqual(verdict.summary.median, 0.9)
        self.assertIs(verdict.met, True)

    def test_a_quotient_is_taken_within_a_repetition(self):
        # The machine was three times slower in the second; the ratio does not see it.
        check = lines.Check("rate", lines.Quotient(lines.Metric("own", "rate"),
                                                   lines.Metric("peer", "rate"), 2.0), 1.5)
        verdict = lines.judge(check, results_of(own__rate=[30, 10], peer__rate=[10, 3.0]))
        self.assertAlmostEqual(verdict.summary.low, 1.5)
        self.assertIs(verdict.met, True)

    def test_the_better_of_peers_is_chosen_within_a_repetition(self):
        peers = lines.Largest((lines.Metric("one", "rate"), lines.Metric("other", "rate")))
        check = lines.Check("rate", lines.Quotient(lines.Metric("own", "rate"), peers), 2.0)
        verdict = lines.judge(check, results_of(own__rate=[20, 60], one__rate=[10, 10],
                                                other__rate=[5, 30]))
        self.assertEqual((verdict.summary.low, verdict.summary.high), (2.0, 2.0))
        self.assertIs(verdict.met, True)

    def test_there_is_no_better_one_where_a_peer_has_no_result(self):
        peers = lines.Largest((lines.Metric("one", "rate"), lines.Metric("other", "rate")))
        self.assertEqual(peers.values(results_of(one__rate=[1, 2], other__rate=[3])), {0: 3})
        self.assertEqual(peers.values(results_of(other__rate=[3])), {})


class LineTest(unittest.TestCase):
    def test_one_missed_check_misses_the_line(self):
        check = lines.Check("push", RATIO, 0.7)
        met, missed, absent = (lines.Verdict(check, None, met) for met in (True, False, None))
        self.assertIs(lines.judge_line([met, met]), True)
        self.assertIs(lines.judge_line([met, missed, absent]), False)
        self.assertIsNone(lines.judge_line([met, absent]))

    def test_every_line_has_a_check_and_a_text_of_its_own(self):
        every = lines.all_lines()
        self.assertEqual(len({line.text for line in every}), len(every))
        for line in every:
            self.assertTrue(line.checks, line.text)
            self.assertEqual(len({check.what for check in line.checks}), len(line.checks))
