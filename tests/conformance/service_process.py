"""quantd with its worker in a folder, and quantctl beside it, as a user runs them."""
import os
import pathlib
import re
import signal
import subprocess
import urllib.request


class Service:
    def __init__(self, build_dir, data_dir):
        self.bin, self.data_dir, self.process = build_dir / "bin", data_dir, None
        self.program = self.bin / "quantctl"
        self.environment = {**os.environ, "LD_PRELOAD": str(build_dir / "tests" / "libslow_disk.so")}
        self.start_server("127.0.0.1:0")

    def start_server(self, address):
        command = [self.bin / "quantd", "--data-dir", self.data_dir, "--listen", address, "--metrics-listen", "127.0.0.1:0",
                   "--worker-threads", "2"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        env=self.environment)
        ready = re.match(r"ready grpc=(\S+) metrics=(\S+)", self.process.stdout.readline())
        self.address, self.metrics = ready[1], ready[2]

    def make_disk_slow(self):
        """From here on no job ends by itself (tests/support/slow_disk.cc)."""
        (self.data_dir / "slow").touch()

    def make_disk_fast(self):
        (self.data_dir / "slow").unlink()

    def kill_worker(self):
        for thread in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                os.kill(int(child), signal.SIGKILL)

    def stop(self, how=signal.SIGTERM):
        """The exit status; may be called again."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        code = self.process.wait(30)
        self.process.stdout.close()
        return code

    def command(self, *arguments, server=None):
        return [self.program, "--server", server or self.address, *map(str, arguments)]

    def run(self, *arguments, server=None):
        return subprocess.run(self.command(*arguments, server=server), capture_output=True, text=True, timeout=120)

    def check(self, *arguments):
        """What a command that succeeds prints."""
        result = self.run(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def start(self, *arguments, server=None):
        return subprocess.Popen(self.command(*arguments, server=server), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def metric(self, name):
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=10) as answer:
            return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.M)[1])
