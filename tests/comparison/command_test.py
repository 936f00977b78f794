import contextlib
import io
import pathlib
import unittest

from comparison import cases, command, runner


def names(*arguments):
    options = command.parse(list(arguments))
    return [case.name for case in command.choose(cases.all_cases(), options)]


class ParseTest(unittest.TestCase):
    def test_a_whole_run_writes_the_page_in_docs(self):
        options = command.parse([])
        self.assertEqual((options.repetitions, options.into), (9, command.ROOT / "docs"))

    def test_a_part_leaves_the_page_in_docs_and_whole_results_alone(self):
        whole = command.parse([])
        for arguments in (["--small"], ["--only", "rows"], ["--no-peers"]):
            options = command.parse(arguments)
            self.assertNotEqual(options.into, whole.into)
            self.assertNotEqual(options.results, whole.results)

    def test_saved_results_may_be_written_into_docs(self):
        options = command.parse(["--render", "results.json"])
        self.assertEqual(options.into, command.ROOT / "docs")
        self.assertEqual(options.render, pathlib.Path("results.json"))

    def test_what_makes_no_sense_is_refused(self):
        for arguments in (["--repetitions", "0"], ["--only", "("], ["--unknown"]):
            with self.assertRaises(SystemExit) as refused, \
                    contextlib.redirect_stderr(io.StringIO()):
                command.parse(arguments)
            self.assertEqual(refused.exception.code, 2)


class ChooseTest(unittest.TestCase):
    def test_takes_all_or_those_that_are_named(self):
        self.assertEqual(len(names()), len(cases.all_cases()))
        self.assertEqual(names("--only", "^pytorch/.*mlp", "--only", "dtrain/rows"),
                         ["dtrain/rows", "pytorch/training/mlp/local"])

    def test_a_smoke_test_runs_each_program_once(self):
        small = [case for case in cases.all_cases() if case.name in names("--small")]
        programs = [case.program for case in small if case.program]
        self.assertEqual(sorted(set(programs)), sorted(programs))
        self.assertEqual(set(programs), {case.program for case in cases.all_cases()
                                         if case.program})

    def test_without_peers_dtrain_is_left(self):
        self.assertTrue(all(name.startswith("dtrain/") for name in names("--no-peers")))

    def test_nothing_left_is_told(self):
        with self.assertRaisesRegex(command.Stop, "--list"):
            names("--only", "no such case")


class EstimateTest(unittest.TestCase):
    def test_counts_cases_that_take_part_in_few_repetitions_as_often_as_they_do(self):
        often = cases.Case("often", cases.DTRAIN, 10.0)
        seldom = cases.Case("seldom", cases.DTRAIN, 20.0, repetitions_max=3)
        self.assertEqual(runner.estimate_s([often, seldom], 9, small=False), 150)
        self.assertEqual(runner.estimate_s([often, seldom], 1, small=False), 30)
