import pathlib
import tempfile
import unittest

from comparison import cases, runner
from comparison.results import Results


class PeerOutputTest(unittest.TestCase):
    def test_is_its_last_line(self):
        results = Results()
        runner.add_peer("tensorflow/training/mlp/local", 'a warning\n{"versions": {"tensorflow": '
                        '"2"}, "results": {"items_per_s": 5}}\n', 3, results)
        self.assertEqual(results.versions, {"tensorflow": "2"})
        self.assertEqual(results.of("tensorflow/training/mlp/local", "items_per_s"), {3: 5.0})

    def test_without_a_result_is_refused(self):
        for output in ("", "words", "[]", '{"versions": {}}', '{"versions": {}, "results": 3}'):
            with self.assertRaisesRegex(ValueError, "peer printed no result"):
                runner.add_peer("peer", output, 0, Results())


class LinkOutputTest(unittest.TestCase):
    def test_has_a_result_for_each_exchange_and_size(self):
        results = Results()
        runner.add_link("link/1gbit", {"sizes": [{"bytes": 16 << 20, "rows": [
            {"name": "raw", "median_s": 0.13, "of_raw": 1.0},
            {"name": "push bf16", "median_s": 0.07, "of_raw": 1.9, "gain": 1.95, "met": True}]}]},
            0, results)
        self.assertEqual(results.of("link/1gbit/push/bf16/16MiB", "gain"), {0: 1.95})
        self.assertNotIn("met", results.values["link/1gbit/push/bf16/16MiB"])


class FirstLossTest(unittest.TestCase):
    def test_is_the_same_of_all_who_train_a_workload(self):
        results = Results()
        results.add("tensorflow/training/mlp/local", "first_loss", 0, 2.3295)
        results.add("pytorch/training/mlp/local", "first_loss", 0, 2.3296)
        results.add("pytorch/training/embedding/local", "first_loss", 0, 0.7)
        self.assertEqual(runner.differing_losses(results, 0), [])
        results.add("tensorflow/training/mlp/w1s1", "first_loss", 0, 2.4)
        self.assertIn("w1s1 2.400000", runner.differing_losses(results, 0)[0])
        self.assertEqual(runner.differing_losses(results, 1), [])

    def test_is_dtrains_too(self):
        results = Results()
        results.add("training/wide/local", "first_loss", 0, 0.69)
        results.add("pytorch/training/wide/local", "first_loss", 0, 0.70)
        results.add("pytorch/training/small/local", "first_loss", 0, 2.3)
        differing = runner.differing_losses(results, 0)
        self.assertEqual(len(differing), 1)
        self.assertIn("of wide differ", differing[0])


class RunAllTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "benchmarks").mkdir()
        self.setup = runner.Setup(self.folder, self.folder, self.folder / "logs", {})

    def program(self, name, script):
        path = self.folder / "benchmarks" / name
        path.write_text("#!/bin/sh\n" + script, encoding="ascii")
        path.chmod(0o755)
        return cases.Case(name, cases.DTRAIN, 1.0, program=name)

    def test_cases_take_turns_and_each_repetition_is_saved(self):
        chosen = [self.program(name, f"echo {name} >> {self.folder}/order; echo '"
                               '{"benchmarks": [{"name": "' + name + '", "p50_us": 1}]}\'')
                  for name in ("one", "two")]
        results, saved = Results(), []
        runner.run_all(chosen, 2, self.setup, results, lambda: saved.append(results.repetitions),
                       lambda _: None)
        self.assertEqual((self.folder / "order").read_text(encoding="ascii").split(),
                         ["one", "two", "one", "two"])
        self.assertEqual(saved, [1, 2])
        self.assertEqual(results.of("one", "p50_us"), {0: 1.0, 1: 1.0})

    def test_a_case_that_fails_twice_is_left_out_and_told(self):
        case = self.program("wrong", f"echo x >> {self.folder}/tries; echo why >&2; exit 1")
        results = Results()
        runner.run_all([case], 4, self.setup, results, lambda: None, lambda _: None)
        self.assertEqual((self.folder / "tries").read_text(encoding="ascii"), "x\nx\n")
        self.assertEqual(len(results.failures), 2)
        self.assertIn("why", results.failures[0])

    def test_a_result_that_failed_its_check_is_none_and_others_stay(self):
        case = self.program("half", "echo '{\"benchmarks\": [{\"name\": \"right\", \"ratio\": 1}, "
                            "{\"name\": \"false\", \"error_occurred\": true, "
                            "\"error_message\": \"a value is wrong\"}]}'; exit 1")
        results = Results()
        runner.run_all([case], 1, self.setup, results, lambda: None, lambda _: None)
        self.assertEqual(results.of("right", "ratio"), {0: 1.0})
        self.assertNotIn("false", results.values)
        self.assertIn("a value is wrong", results.failures[0])


class CasesTest(unittest.TestCase):
    def test_each_has_a_name_of_its_own(self):
        names = [case.name for case in cases.all_cases()]
        self.assertEqual(len(set(names)), len(names))
