"""The systems that are read from, each in a process of its own."""

import json
import subprocess
import sys
import time
import urllib.request


class Simulator:
    def __init__(self, binaries, folder, name, **sizes):
        self.binaries, self.key_file = binaries, folder / f"{name}.key.json"
        command = [binaries / "entitled", "simulate", "--port", "0", "--key-file", str(self.key_file)]
        for what, size in sizes.items():
            command += [f"--{what}", str(size)]
        said = folder / f"{name}.json"
        with said.open("w") as stdout:
            self.process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.DEVNULL)
        while not (text := said.read_text()).strip():
            if self.process.poll() is not None:
                sys.exit(f"the simulator {name} did not start")
            time.sleep(0.05)
        told = json.loads(text)
        self.base, self.control, self.key = told["base_url"], told["control"], told["deploycenter"]["key"]

    def people(self):
        """Everybody with an account at DeployCenter: e-mail, sub and siret."""
        return json.load(urllib.request.urlopen(f"{self.control}/people"))

    def stop(self):
        self.process.terminate()
        self.process.wait()


def bench(binaries, *arguments):
    """One of the commands of the load generator; what it tells."""
    process = subprocess.run([binaries / "entitled-bench", *map(str, arguments)], capture_output=True, text=True)
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: {process.stderr}")
    return json.loads(process.stdout)


def load(binaries, folder, to, requests, count, *arguments):
    """Sends these requests, `count` in all."""
    file = folder / "requests.jsonl"
    file.write_text("".join(json.dumps(request) + "\n" for request in requests))
    return bench(binaries, "load", "--to", to, "--requests", file, "--count", count, *arguments)
