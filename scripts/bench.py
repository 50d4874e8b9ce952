"""The measuring behind scripts/bench: Python's standard library, psql, and the release binary as its users run it."""

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import os
import pathlib
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

MEMORY_MIB_MAX = 512
# One event row for each membership, as a log without batches would have it.
EVENT_OF_EACH = """SELECT row_number() OVER () AS position, {id}, 'membership', {group}, 'membership.changed', 1,
    '{{"group": "' || {group} || '", "user": "' || {user} || '"}}', 'source:directory', source, NULL, NULL, NULL,
    from_at, from_at, {digest} FROM membership WHERE source = 'directory'"""


def timed(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


def apart(work, *arguments):
    """Does it in a process of its own: a child begins with its parent's memory, and the peak of a command would be ours."""
    with concurrent.futures.ProcessPoolExecutor(max_workers=1) as process:
        return process.submit(work, *arguments).result()


class Store:
    """One deployment's store, and the statements that make its floors."""

    def __init__(self, name, entitled, folder, base):
        self.name, self.entitled, self.folder = name, entitled, folder
        self.config = folder / f"{name}.toml"
        self.base = base

    def configure(self, url):
        self.config.write_text(f'''config_version = 1
[database]
url = "{url}"
auto_migrate = true
[http]
listen = "127.0.0.1:0"
[sources.directory]
kind = "google_workspace"
subject = "admin@example.com"
credentials = {{ file = "{self.folder}/key.json" }}
customer = "my_customer"
api_base = "{self.base}"
rate = {{ per_second = 100000, burst = 100000 }}
''')

    def run(self, *arguments):
        """Runs a command; its output, seconds and MiB."""
        began = time.monotonic()
        command = [self.entitled, "--config", str(self.config), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        if status != 0:
            sys.exit(f"{self.name}: {' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
        return output, time.monotonic() - began, usage.ru_maxrss / 1024

    def sync(self, wanted):
        """A full read; seconds until the source was read, seconds after that, MiB."""
        began = time.time()
        output, seconds, mib = self.run("sync", "--output", "json")
        run = json.loads(output)["sources"][0]
        if run["outcome"] != wanted or mib > MEMORY_MIB_MAX:
            sys.exit(f"{self.name}: {run['outcome']} with {mib:.0f} MiB; wanted {wanted} within {MEMORY_MIB_MAX} MiB")
        observed = datetime.datetime.fromisoformat(run["observed_at"]).timestamp() - began
        return observed, seconds - observed, mib

    def serve(self):
        """Seconds from start to ready, and MiB when idle."""
        command = [self.entitled, "--config", str(self.config), "--log-format", "json", "serve"]
        log = self.folder / f"{self.name}.log"
        began = time.monotonic()
        with log.open("w") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr)
        try:
            address = None
            while address is None:
                if process.poll() is not None:
                    sys.exit(f"{self.name}: serve ended before it listened: {log.read_text()}")
                for line in log.read_text().splitlines():
                    with contextlib.suppress(ValueError):
                        address = json.loads(line).get("address") or address
                time.sleep(0.005)
            while process.poll() is None:
                with contextlib.suppress(OSError):
                    if urllib.request.urlopen(f"http://{address}/readyz", timeout=1).status == 200:
                        break
            ready = time.monotonic() - began
            resident = pathlib.Path(f"/proc/{process.pid}/status").read_text().split("VmRSS:")[1].split()[0]
            return ready, int(resident) / 1024
        finally:
            process.terminate()
            process.wait(60)


class Sqlite(Store):
    def empty(self):
        self.file = self.folder / "entitled.db"
        for file in self.folder.glob("entitled.db*"):
            file.unlink()
        self.configure(f"sqlite://{self.file}")

    def insert_floor(self):
        """One prepared statement a table, one transaction, the same schema and the same rows."""
        store = sqlite3.connect(self.file)
        members = store.execute("SELECT group_id, user_id, source, from_position, from_at FROM membership WHERE source = 'directory'").fetchall()
        sql = EVENT_OF_EACH.format(id="randomblob(16)", group="hex(group_id)", user="hex(user_id)", digest="zeroblob(32)")
        events = store.execute(sql).fetchall()
        store.close()
        floor = self.folder / "floor.db"
        shutil.copy(self.file, floor)
        store = sqlite3.connect(floor)
        # The log refuses to lose its rows: it is made anew, as it was.
        schema = [row[0] for row in store.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'event' AND sql IS NOT NULL ORDER BY type = 'table' DESC")]
        store.executescript("PRAGMA foreign_keys = ON; DELETE FROM membership; DROP TABLE event;" + ";".join(schema) + "; VACUUM;")
        store.execute("PRAGMA journal_mode = WAL")
        store.execute("PRAGMA synchronous = NORMAL")

        def insert():
            with store:
                store.executemany(f"INSERT INTO event VALUES ({', '.join('?' * 15)})", events)
                store.executemany("INSERT INTO membership (group_id, user_id, source, from_position, from_at) VALUES (?, ?, ?, ?, ?)", members)

        seconds = timed(insert)
        store.close()
        floor.unlink()
        return seconds

    def read_floor(self, sql):
        store = sqlite3.connect(self.file)
        seconds = timed(lambda: [None for _ in store.execute(sql)])
        store.close()
        return seconds

    def drop(self):
        pass


class Postgres(Store):
    def __init__(self, name, entitled, folder, base, server):
        super().__init__(name, entitled, folder, base)
        self.server, self.database = server, None

    def psql(self, sql, database=None):
        url = f"{self.server.rsplit('/', 1)[0]}/{database}" if database else self.server
        subprocess.run(["psql", url, "-qX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, stdout=subprocess.DEVNULL)

    def empty(self):
        self.drop()
        self.database = f"bench_{uuid.uuid4().hex}"
        self.psql(f"CREATE DATABASE {self.database}")
        self.configure(f"{self.server.rsplit('/', 1)[0]}/{self.database}")

    def copy(self, sql, database, file, direction):
        self.psql(f"\\copy {sql} {direction} '{file}'", database)

    def insert_floor(self):
        """COPY of the memberships and of an event for each, into the same schema on the same server."""
        columns = "group_id, user_id, source, from_position, from_at"
        members, events = self.folder / "members.copy", self.folder / "events.copy"
        self.copy(f"(SELECT {columns} FROM membership WHERE source = 'directory')", self.database, members, "TO")
        sql = EVENT_OF_EACH.format(id="gen_random_uuid()", group="group_id::text", user="user_id::text", digest="sha256(group_id::text::bytea)")
        self.copy("(" + " ".join(sql.split()) + ")", self.database, events, "TO")
        floor = f"{self.database}_floor"
        self.psql(f"CREATE DATABASE {floor} TEMPLATE {self.database}")
        self.psql("TRUNCATE membership", floor)
        self.psql("ALTER TABLE event DISABLE TRIGGER event_no_truncate; TRUNCATE event", floor)

        def insert():
            self.copy("event", floor, events, "FROM")
            self.copy(f"membership ({columns})", floor, members, "FROM")

        seconds = timed(insert)
        self.psql(f"DROP DATABASE {floor} WITH (FORCE)")
        return seconds

    def read_floor(self, sql):
        return timed(lambda: self.psql(f"COPY ({sql}) TO STDOUT", self.database))

    def drop(self):
        if self.database:
            self.psql(f"DROP DATABASE {self.database} WITH (FORCE)")
        self.database = None


def measure(store, runs):
    """Each figure as a list, one entry a run: (what, unit, goal, values)."""
    found = {}

    def note(what, unit, goal, value):
        found.setdefault(what, (unit, goal, []))[2].append(value)

    pairs = "SELECT group_id, user_id FROM membership WHERE to_position IS NULL ORDER BY group_id, user_id"
    log = "SELECT * FROM event ORDER BY position"
    for _ in range(runs):
        store.empty()
        fetch, write, mib = store.sync("applied")
        floor = apart(store.insert_floor)
        note("first import, after the fetch / floor", "x", 1.0, write / floor)
        note("first import / (fetch + floor)", "x", 1.3, (fetch + write) / (fetch + floor))
        note("first import, peak memory", "MiB", 200, mib)
        fetch, write, mib = store.sync("unchanged")
        floor = apart(store.read_floor, pairs)
        note("unchanged read / (fetch + floor)", "x", 1.3, (fetch + write) / (fetch + floor))
        note("unchanged read, peak memory", "MiB", 200, mib)
        floor = apart(store.read_floor, log)
        for command in ["verify", "rebuild"]:
            note(f"{command} / reading the log's rows", "x", 3.0, store.run(command)[1] / floor)
        ready, mib = store.serve()
        note("start to ready", "s", 0.5, ready)
        note("memory when ready", "MiB", 40, mib)
    store.drop()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("entitled")
    parser.add_argument("server")
    for name, default in [("users", 100_000), ("groups", 10_000), ("memberships", 1_000_000), ("runs", 3)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", default="bench.json")
    asked = parser.parse_args()
    folder = pathlib.Path(tempfile.mkdtemp(prefix="entitled-bench."))
    command = [asked.entitled, "simulate", "--port", "0", "--key-file", str(folder / "key.json")]
    for name in ["users", "groups", "memberships"]:
        command += [f"--{name}", str(getattr(asked, name))]
    with (folder / "simulator.json").open("w") as said:
        simulator = subprocess.Popen(command, stdout=said, stderr=subprocess.DEVNULL)
    try:
        while not (text := (folder / "simulator.json").read_text()).strip():
            if simulator.poll() is not None:
                sys.exit("the simulator did not start")
            time.sleep(0.2)
        base = json.loads(text)["base_url"]
        stores = [Sqlite("sqlite", asked.entitled, folder, base), Postgres("postgres", asked.entitled, folder, base, asked.server)]
        table = {}
        print(f"{asked.memberships} memberships, {asked.users} users, {asked.groups} groups, {asked.runs} runs")
        print(f"{'store':9} {'what':42} {'median':>8} {'min':>8} {'max':>8} {'goal':>6}  unit")
        for store in stores:
            found = measure(store, asked.runs)
            for what, (unit, goal, values) in found.items():
                median = statistics.median(values)
                print(f"{store.name:9} {what:42} {median:8.2f} {min(values):8.2f} {max(values):8.2f} {goal:6}  {unit}", flush=True)
            table[store.name] = {what: {"unit": unit, "goal": goal, "values": values} for what, (unit, goal, values) in found.items()}
        sizes = {name: getattr(asked, name) for name in ["users", "groups", "memberships", "runs"]}
        pathlib.Path(asked.json).write_text(json.dumps({"sizes": sizes, "figures": table}, indent=2) + "\n")
    finally:
        simulator.terminate()
        shutil.rmtree(folder, ignore_errors=True)


main()
