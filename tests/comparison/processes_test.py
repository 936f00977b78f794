import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

from comparison import processes

DEADLINE_S = 20.0


class RunTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.log = self.folder / "logs/one.log"

    def run_command(self, *command, deadline_s=DEADLINE_S):
        return processes.run(list(command), log=self.log, deadline_s=deadline_s)

    def test_returns_what_was_printed(self):
        self.assertEqual(self.run_command("echo", "words").output, "words\n")

    def test_says_how_a_command_failed_and_what_it_printed(self):
        with self.assertRaisesRegex(processes.Failed, r"(?s)ended with 3.*the reason"):
            self.run_command("sh", "-c", "echo the reason >&2; exit 3")

    def test_says_what_cannot_be_started(self):
        with self.assertRaisesRegex(processes.Failed, "/no/such/program cannot be started"):
            self.run_command("/no/such/program")

    def test_a_deadline_leaves_no_process_behind(self):
        # The inner one ignores SIGTERM and has a session of its own.
        script = (f"setsid sh -c 'trap \"\" TERM; echo $$ > {self.folder}/pid; "
                  "while :; do sleep 1; done' & wait")
        # In a program of its own: what it does to orphans would be done to this one's too.
        code = ("import sys, pathlib; from comparison import processes\n"
                "processes.adopt_orphans()\n"
                "try: processes.run(['sh', '-c', sys.argv[1]], log=pathlib.Path(sys.argv[2]), "
                "deadline_s=1.0)\n"
                "except processes.Failed as wrong: print(wrong)")
        done = subprocess.run([sys.executable, "-c", code, script, str(self.log)],
                              capture_output=True, text=True, timeout=DEADLINE_S, check=True)
        self.assertIn("had not ended after 1 s", done.stdout)
        pid = int((self.folder / "pid").read_text(encoding="ascii"))
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())

    def test_an_interrupt_leaves_no_process_behind(self):
        code = ("import sys, pathlib; from comparison import processes\n"
                "processes.adopt_orphans()\n"
                "try: processes.run(['sh', '-c', sys.argv[1]], log=pathlib.Path(sys.argv[2]), "
                "deadline_s=60.0)\n"
                "except KeyboardInterrupt: print('interrupted')")
        script = (f"sh -c 'echo $$ > {self.folder}/pid.part; "
                  f"mv {self.folder}/pid.part {self.folder}/pid; exec sleep 600' & wait")
        runner = subprocess.Popen([sys.executable, "-c", code, script, str(self.log)],
                                  stdout=subprocess.PIPE, text=True)
        limit = time.monotonic() + DEADLINE_S
        while not (self.folder / "pid").exists():
            self.assertLess(time.monotonic(), limit)
            time.sleep(0.01)  # a poll with a deadline
        pid = int((self.folder / "pid").read_text(encoding="ascii"))
        os.kill(runner.pid, signal.SIGINT)
        self.assertEqual(runner.communicate(timeout=DEADLINE_S)[0], "interrupted\n")
        self.assertFalse(pathlib.Path(f"/proc/{pid}").exists())
