"""The two stores under test, and the statements that make their floors."""

import contextlib
import datetime
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid

MEMORY_MIB_MAX = 512
# One event row for each membership, as a log without batches would have it.
EVENT_OF_EACH = """SELECT row_number() OVER () AS position, {id}, 'membership', {group}, 'membership.changed', 1,
    '{{"group": "' || {group} || '", "user": "' || {user} || '"}}', 'source:directory', source, NULL, NULL, NULL,
    from_at, from_at, {digest} FROM membership WHERE source = 'directory'"""
LOG = "SELECT * FROM event ORDER BY position"
KEYS = {"hook": "hook:login", "check": "check", "admin": "admin"}


def timed(work):
    began = time.monotonic()
    work()
    return time.monotonic() - began


class Launcher:
    """Starts commands from a process that stays small: a child's peak memory counts from what its parent had."""

    def __init__(self):
        fork = multiprocessing.get_context("fork")
        self.pipe, far = fork.Pipe()
        fork.Process(target=self.serve, args=[far], daemon=True).start()

    @staticmethod
    def serve(pipe):
        while True:
            command, environment = pipe.recv()
            began = time.monotonic()
            with tempfile.TemporaryFile("w+") as said:
                process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=said)
                output = process.stdout.read()
                _, status, usage = os.wait4(process.pid, 0)
                said.seek(0)
                pipe.send((os.waitstatus_to_exitcode(status), output, said.read(), time.monotonic() - began, usage.ru_maxrss / 1024))

    def run(self, command, environment):
        """Its exit code, stdout, stderr, seconds, and peak memory in MiB."""
        self.pipe.send((command, environment))
        return self.pipe.recv()


LAUNCHER = Launcher()


def apart(work, *arguments):
    """Does it in a process of its own: a child begins with its parent's memory, and the peak of a command would be ours."""
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)
    process = fork.Process(target=lambda: sending.send(work(*arguments)))
    process.start()
    sending.close()
    try:
        return receiving.recv()
    except EOFError:
        sys.exit(f"{work.__name__} failed")
    finally:
        process.join()


class Store:
    """One deployment of entitled with its store."""

    def __init__(self, name, binaries, folder, directory, accounts):
        self.name, self.binaries, self.folder = name, binaries, folder
        self.directory, self.accounts = directory, accounts
        self.config = folder / f"{name}.toml"
        self.environment = {**os.environ, "DEPLOYCENTER_TOKEN": accounts.key, **{f"KEY_{name}": name for name in KEYS}}

    def configure(self, url, schedule=""):
        self.url = url
        self.config.write_text(self.head() + self.of_directory(schedule) + self.of_accounts())

    def accounts_alone(self):
        """From here on DeployCenter is the only source."""
        self.config.write_text(self.head() + self.of_accounts())

    def head(self):
        keys = "".join(f'[[http.keys]]\nname = "{name}"\nsecret = {{ env = "KEY_{name}" }}\nscopes = ["{scope}"]\n' for name, scope in KEYS.items())
        return f'''config_version = 1
[database]
url = "{self.url}"
auto_migrate = true
[http]
listen = "127.0.0.1:0"
{keys}
[scheduler]
start_jitter = "0s"
'''

    def of_directory(self, schedule):
        return f'''
[sources.directory]
kind = "google_workspace"
subject = "admin@example.com"
credentials = {{ file = "{self.directory.key_file}" }}
customer = "my_customer"
api_base = "{self.directory.base}"
rate = {{ per_second = 100000, burst = 100000 }}
cache_ttl = "0s"
guard = {{ max_removal_ratio = 0.9, max_removals = 1000000 }}
group_guard = {{ max_removal_ratio = 0.9, max_removals = 1000000 }}
{schedule}
'''

    def of_accounts(self):
        return f'''
[sources.accounts]
kind = "deploycenter"
base_url = "{self.accounts.base}/api/v1.0/entitlements/"
service_id = 42
token = {{ env = "DEPLOYCENTER_TOKEN" }}
claims = ["siret"]
rate = {{ per_second = 100000, burst = 100000 }}
cache_ttl = "0s"
[[sources.accounts.map]]
entitlement = "can_admin_maildomains"
resource_type = "maildomain"
permission = "admin"
'''

    def command(self, *arguments):
        return [self.binaries / "entitled", "--config", str(self.config), *arguments]

    def run(self, *arguments):
        """Runs a command; its output, seconds and MiB."""
        code, output, said, seconds, mib = LAUNCHER.run(self.command(*arguments), self.environment)
        if code != 0:
            sys.exit(f"{self.name}: {' '.join(arguments)} ended with {code}: {said}")
        return output, seconds, mib

    def sync(self, *wanted):
        """A full read of the directory; seconds until it was read, seconds after that, MiB, and how many memberships changed."""
        began = time.time()
        output, seconds, mib = self.run("sync", "--source", "directory", "--output", "json")
        run = json.loads(output)["sources"][0]
        if run["outcome"] not in wanted or mib > MEMORY_MIB_MAX:
            sys.exit(f"{self.name}: {run['outcome']} with {mib:.0f} MiB; wanted {' or '.join(wanted)} within {MEMORY_MIB_MAX} MiB")
        observed = datetime.datetime.fromisoformat(run["observed_at"]).timestamp() - began
        return observed, seconds - observed, mib, run["counts"]["created"] + run["counts"]["removed"]


class Sqlite(Store):
    def empty(self, schedule=""):
        self.file = self.folder / "entitled.db"
        for file in self.folder.glob("entitled.db*"):
            file.unlink()
        self.configure(f"sqlite://{self.file}", schedule)

    def rows(self, sql):
        with contextlib.closing(sqlite3.connect(self.file)) as store:
            return store.execute(sql).fetchall()

    def insert_floor(self):
        """One prepared statement a table, one transaction, the same schema and the same rows; and reading the events back."""
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

        inserting = timed(insert)
        reading = timed(lambda: [None for _ in store.execute(LOG)])
        store.close()
        floor.unlink()
        return inserting, reading

    def read_floor(self, sql):
        store = sqlite3.connect(self.file)
        seconds = timed(lambda: [None for _ in store.execute(sql)])
        store.close()
        return seconds

    def drop(self):
        pass


class Postgres(Store):
    def __init__(self, name, binaries, folder, directory, accounts, server):
        super().__init__(name, binaries, folder, directory, accounts)
        self.server, self.database = server, None

    def psql(self, sql, database=None):
        url = f"{self.server.rsplit('/', 1)[0]}/{database}" if database else self.server
        subprocess.run(["psql", url, "-qX", "-v", "ON_ERROR_STOP=1", "-c", sql], check=True, stdout=subprocess.DEVNULL)

    def empty(self, schedule=""):
        self.drop()
        self.database = f"bench_{uuid.uuid4().hex}"
        self.psql(f"CREATE DATABASE {self.database}")
        self.configure(f"{self.server.rsplit('/', 1)[0]}/{self.database}", schedule)

    def rows(self, sql):
        command = ["psql", self.url, "-qXAt", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-c", sql]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [tuple(line.split("\t")) for line in output.splitlines()]

    def copy(self, sql, database, file, direction):
        self.psql(f"\\copy {sql} {direction} '{file}'", database)

    def insert_floor(self):
        """COPY of the memberships and of an event for each, into the same schema on the same server; and of the events back."""
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

        inserting = timed(insert)
        reading = timed(lambda: self.psql(f"COPY ({LOG}) TO STDOUT", floor))
        self.psql(f"DROP DATABASE {floor} WITH (FORCE)")
        return inserting, reading

    def read_floor(self, sql):
        return timed(lambda: self.psql(f"COPY ({sql}) TO STDOUT", self.database))

    def drop(self):
        if self.database:
            self.psql(f"DROP DATABASE {self.database} WITH (FORCE)")
        self.database = None
