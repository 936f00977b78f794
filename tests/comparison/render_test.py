import pathlib
import tempfile
import unittest

from comparison import figures, lines, render, tables
from comparison.results import Results, Summary


def full_results():
    """Every metric that a line looks at, three times."""
    results = Results(date="2026-11-22", repetitions=3, commit="abc", machine={"processor": "EPYC"})
    for line in lines.all_lines():
        for check in line.checks:
            for metric in check.figure.metrics():
                for repetition in range(3):
                    results.add(metric.result, metric.metric, repetition, 2.0 + repetition)
    return results


class NumberTest(unittest.TestCase):
    def test_has_about_three_digits(self):
        self.assertEqual([tables.number(value) for value in (0, 0.01234, 0.5, 1.234, 45.67, 12345)],
                         ["0", "0.0123", "0.500", "1.23", "45.7", "12,345"])

    def test_has_its_spread_beside_it(self):
        self.assertEqual(tables.spread(Summary(2.0, 1.0, 3.0, 9), "×"), "2.00 × (1.00–3.00)")
        self.assertEqual(tables.spread(Summary(2.0, 2.0, 2.0, 1)), "2.00")


class RegionTest(unittest.TestCase):
    def test_has_every_line_without_any_result(self):
        text = render.region(Results(), [])
        for line in lines.all_lines():
            self.assertIn(line.text, text)
        self.assertIn(f"{len(lines.all_lines())} not measured", text)

    def test_has_every_line_with_all_results(self):
        text = render.region(full_results(), [("A plot", "performance/plot")])
        self.assertIn(" 0 not measured", text)
        self.assertIn("![A plot](performance/plot.svg)", text)

    def test_tells_what_was_skipped_and_what_failed(self):
        results = Results(skipped={"pytorch": "no\nnetwork"}, failures=["push: a value is wrong"])
        text = render.region(results, [])
        self.assertIn("Skipped: pytorch, because no network", text)
        self.assertIn("- push: a value is wrong", text)

    def test_compares_the_same_training(self):
        results = Results(repetitions=1)
        results.add("training/mlp/local", "items_per_s", 0, 8000.0)
        results.add("tensorflow/training/mlp/local", "items_per_s", 0, 4000.0)
        self.assertIn("| mlp/local | 8,000 | 4,000 | 2.00 × |",
                      "\n".join(tables.peers_table(results)))

    def test_a_bar_in_a_cell_is_escaped(self):
        self.assertEqual(tables.table(["a"], [["x|y"]])[-1], "| x\\|y |")


class PresentableTest(unittest.TestCase):
    def test_names_no_place(self):
        self.assertEqual(
            render.presentable("/home/me/clone/build/a_bench ended with 1:\n'/tmp/x/y.py' from "
                               "https://host.example/simple and/or ~/.cache/dtrain/z"),
            "a_bench ended with 1: 'y.py' from (an address) and/or z")

    def test_is_short(self):
        self.assertLess(len(render.presentable("word " * 1000)), 310)


class ReplaceTest(unittest.TestCase):
    def test_leaves_everything_else_alone(self):
        page = f"# Before\n\n{render.BEGIN}\nold\n{render.END}\n\n## After\n"
        self.assertEqual(render.replace_region(page, f"{render.BEGIN}\nnew\n{render.END}"),
                         page.replace("old", "new"))

    def test_refuses_a_page_without_both_markers_once(self):
        for page in ("", render.BEGIN, render.END, render.END + render.BEGIN,
                     f"{render.BEGIN}{render.BEGIN}{render.END}"):
            with self.assertRaises(ValueError):
                render.replace_region(page, "new")

    def test_a_page_that_is_refused_stays_as_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder, "performance.md")
            page.write_text("by hand", encoding="utf-8")
            with self.assertRaisesRegex(ValueError, "performance.md"):
                render.write(page, render.region(Results(), []))
            self.assertEqual(page.read_text(encoding="utf-8"), "by hand")

    def test_the_page_in_docs_can_be_written(self):
        page = pathlib.Path(__file__).resolve().parents[2] / "docs/performance.md"
        render.replace_region(page.read_text(encoding="utf-8"), "")


class FiguresTest(unittest.TestCase):
    def test_there_are_none_of_nothing(self):
        self.assertEqual(figures.all_figures(Results()), [])

    def test_beyond_one_is_better_whatever_the_line_wants(self):
        targets = figures.all_figures(full_results())[0]
        values = {check["label"]: check["value"] for check in targets["checks"]}
        # At most 1 s, and measured were 3 µs; at least 3, and measured was a ratio of 1.
        self.assertGreater(values["start-up: time"], 1)
        self.assertTrue(all(value > 0 for value in values.values()))
