import os
import pathlib
import tempfile
import unittest

from comparison import environments, processes


class KeyTest(unittest.TestCase):
    def test_is_of_the_requirements_alone(self):
        self.assertEqual(environments.key("a==1\n# why\n\nb==2"), environments.key("a==1\nb==2 #"))
        self.assertNotEqual(environments.key("a==1"), environments.key("a==2"))


class PlannedTest(unittest.TestCase):
    def test_is_what_apt_would_install(self):
        plan = ("Inst libpcre2-8-0 [10.42-1] (10.42-1+deb12u2 Debian-Security:12 [amd64])\n"
                "Conf libpcre2-8-0 (10.42-1+deb12u2 Debian-Security:12 [amd64])\n"
                "Inst python3-numpy (1:1.24.2-1+deb12u1 Debian:12.15/oldstable [amd64]) []\n")
        self.assertEqual(environments.planned(plan), ["libpcre2-8-0=10.42-1+deb12u2",
                                                      "python3-numpy=1:1.24.2-1+deb12u1"])
        self.assertEqual(environments.planned(""), [])


class PrepareTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name, "cache")
        self.made = 0

    def recipe(self, contents="a==1", wrong=None):
        def make(folder, log):
            self.made += 1
            (folder / "file").write_text("half", encoding="utf-8")
            if wrong:
                raise wrong

        return environments.Recipe("peer", contents, make,
                                   lambda folder: environments.Environment(str(folder)))

    def prepare(self, recipe):
        return environments.prepare(recipe, pathlib.Path("log"), self.root, tell=lambda _: None)

    def test_makes_it_once(self):
        first = self.prepare(self.recipe())
        self.assertEqual(self.prepare(self.recipe()), first)
        self.assertEqual(self.made, 1)

    def test_other_requirements_are_another_environment(self):
        self.assertNotEqual(self.prepare(self.recipe("a==1")), self.prepare(self.recipe("a==2")))
        self.assertEqual(self.made, 2)

    def test_leaves_nothing_when_it_cannot_be_made(self):
        for wrong in (processes.Failed("no network"), OSError("no space")):
            with self.assertRaisesRegex(environments.Unavailable, "peer cannot be installed: no"):
                self.prepare(self.recipe(wrong=wrong))
        self.assertEqual(list(self.root.iterdir()), [])

    def test_removes_what_a_killed_run_had_begun(self):
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        (self.root / f"peer.partial-{child}").mkdir(parents=True)
        (self.root / "peer.partial-1").mkdir()  # which still runs
        self.prepare(self.recipe())
        self.assertEqual([path.name for path in self.root.glob("*.partial-*")], ["peer.partial-1"])
