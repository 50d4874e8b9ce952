"""What the running service costs: its start, questions, logins, and logins while a first import is written."""

import contextlib
import json
import pathlib
import re
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from simulators import load

CONNECTIONS = 32
# A load lasts about this long, by what a short one before it came to.
SECONDS = 4
DEADLINE = 2.0
WRITING_SECONDS_MAX = 300
SETTLED_WITHIN = 20


class Serving:
    """`entitled serve`, ready."""

    def __init__(self, store):
        self.store, self.log = store, store.folder / f"{store.name}.log"
        began = time.monotonic()
        with self.log.open("w") as stderr:
            command = store.command("--log-format", "json", "serve")
            self.process = subprocess.Popen(command, env=store.environment, stdout=subprocess.DEVNULL, stderr=stderr)
        self.base = f"http://{self.first('address')}"
        while self.alive():
            with contextlib.suppress(OSError):
                if urllib.request.urlopen(f"{self.base}/readyz", timeout=1).status == 200:
                    break
        self.ready_after = time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)

    def alive(self):
        if self.process.poll() is not None:
            sys.exit(f"{self.store.name}: serve ended: {self.log.read_text()}")
        return True

    def lines(self):
        for line in self.log.read_text().splitlines():
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def first(self, key):
        while self.alive():
            for line in self.lines():
                if key in line:
                    return line[key]
            time.sleep(0.005)

    def memory(self):
        """MiB resident."""
        return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024

    def request(self, path, key, body=None, email=None):
        return {"path": path, "headers": {"authorization": f"Bearer {key}"}, "body": body, "email": email}

    def ask(self, request, timeout=10):
        body = None if request["body"] is None else json.dumps(request["body"]).encode()
        asked = urllib.request.Request(self.base + request["path"], data=body, headers=request["headers"])
        return json.load(urllib.request.urlopen(asked, timeout=timeout))


def start(store, note):
    with Serving(store) as serving:
        note("start to ready", "s", 0.5, serving.ready_after)
        note("memory when ready", "MiB", 40, serving.memory())


def sized(send):
    """Runs a load for about so long; the short one before it warms what it asks."""
    short = send(2_000)
    return send(max(2_000, int(short["per_second"] * SECONDS)))


def checks(store, grants, note):
    """Questions about grants, over HTTP, against a handler that answers a constant to the same load."""
    with Serving(store) as serving:
        groups = groups_of(serving)
        made = [{"group_id": groups[k % len(groups)], "permission": "use", "resource_type": "maildomain", "resource_id": f"d{k}.example"} for k in range(grants)]
        load(store.binaries, store.folder, serving.base, [serving.request("/api/v1/admin/grants", "admin", body) for body in made], grants, "--connections", 8)
        people = [email for _, email in store.rows(MEMBERS)]
        questions = [serving.request("/api/v1/check", "check", {"user": people[k % len(people)], "permission": "use",
                     "resource": {"type": "maildomain", "id": f"d{k * 7919 % grants}.example"}}) for k in range(10_000)]
        with constant(store) as floor:
            send = lambda to, *rest: lambda count: load(store.binaries, store.folder, to, questions, count, "--connections", CONNECTIONS, *rest)
            bare, asked = sized(send(floor)), sized(send(serving.base))
            note("check / constant handler, throughput", "x", 0.5, asked["per_second"] / bare["per_second"])
            half = asked["per_second"] / 2
            note("check at half the rate, p99", "ms", 2.0, send(serving.base, "--rate", half)(int(half * SECONDS))["p99_ms"])
            note("check", "1/s", None, asked["per_second"])
            note("check, one at a time, median", "ms", None, alone(store, serving.base, questions, 2_000))


MEMBERS = "SELECT 1, email FROM user_profile WHERE email IS NOT NULL ORDER BY email LIMIT 5000"


def groups_of(serving):
    found, after = [], ""
    while True:
        page = serving.ask(serving.request(f"/api/v1/admin/groups?limit=1000&after={after}", "admin"))
        found += [group["id"] for group in page["groups"]]
        if not page["next"]:
            return found
        after = urllib.parse.quote(page["next"])


@contextlib.contextmanager
def constant(store):
    process = subprocess.Popen([store.binaries / "entitled-bench", "constant"], stdout=subprocess.PIPE, text=True)
    try:
        yield f"http://{json.loads(process.stdout.readline())['address']}"
    finally:
        process.kill()
        process.wait()


def alone(store, to, requests, count):
    return load(store.binaries, store.folder, to, requests, count, "--connections", 1)["median_ms"]


def logins(store, note):
    """Refreshes of 500 users, against a bare client that makes the same call of the backend and selects the user."""
    store.accounts_alone()
    people = store.accounts.people()
    with Serving(store) as serving:
        refresh = [serving.request("/hooks/login", "hook", {"email": person["email"], "sub": person["sub"], "claims": {"siret": person["siret"]}}) for person in people]
        load(store.binaries, store.folder, serving.base, refresh, len(refresh), "--connections", CONNECTIONS)
        call = [{"path": f"/api/v1.0/entitlements/?service_id=42&account_type=user&account_email={person['email']}&siret={person['siret']}",
                 "headers": {"x-service-auth": f"Bearer {store.accounts.key}"}, "email": person["email"]} for person in people]
        bare = lambda *rest: lambda count: load(store.binaries, store.folder, store.accounts.base, call, count, "--connections", CONNECTIONS, *rest)
        ours = lambda *rest: lambda count: load(store.binaries, store.folder, serving.base, refresh, count, "--connections", CONNECTIONS, *rest)
        note("simulator: answers a second to a bare client", "1/s", None, sized(bare())["per_second"])
        floor, refreshed = sized(bare("--store", store.url)), sized(ours())
        note("login refresh / bare client, throughput", "x", 0.7, refreshed["per_second"] / floor["per_second"])
        half = refreshed["per_second"] / 2
        paced = [send("--rate", half)(int(half * SECONDS))["p99_ms"] for send in [lambda *rest: bare("--store", store.url, *rest), ours]]
        note("login refresh at half the rate, added p99", "ms", 5.0, paced[1] - paced[0])
        note("login refresh", "1/s", None, refreshed["per_second"])
        note("login refresh, one at a time, median", "ms", None, alone(store, serving.base, refresh, 1_000))


def logins_while_importing(store, note):
    """Logins of people known and new, one after the other, while the scheduler makes the first import. All are answered; none is lost."""
    store.empty(schedule='schedule = "0 0 0 1 1 *"')
    store.run("migrate", "up")
    people = store.accounts.people()
    for person in people[:20]:
        store.run("user", "create", person["email"])
    seconds, named, without_id = [], set(), 0
    with Serving(store) as serving:
        began = time.monotonic()
        while not any(line.get("message") == "run ended" and line.get("trigger") == "schedule" for line in serving.lines()):
            person = people[len(seconds) % len(people)] if len(seconds) % 2 else people[len(seconds) % 20]
            body = {"email": person["email"], "sub": person["sub"], "claims": {"siret": person["siret"]}}
            asked = time.monotonic()
            answer = serving.ask(serving.request("/hooks/login", "hook", body))
            seconds.append(time.monotonic() - asked)
            named.add(person["email"])
            without_id += answer["user"]["id"] is None
            if time.monotonic() - began > WRITING_SECONDS_MAX:
                sys.exit(f"{store.name}: the import did not end: {serving.log.read_text()[-2000:]}")
            time.sleep(0.05)
        listed = ", ".join(f"'{email.lower()}'" for email in named)
        answers = f"SELECT DISTINCT p.email_key FROM user_profile p JOIN entitlement e ON e.user_id = p.user_id AND e.source = 'accounts' WHERE p.email_key IN ({listed})"
        # What waited for the import is stored after it.
        until = time.monotonic() + SETTLED_WITHIN
        while len(stored := store.rows(answers)) < len(named) and time.monotonic() < until:
            time.sleep(0.1)
    note("logins during the first import", "", None, len(seconds))
    note("logins during the first import, longest", "s", DEADLINE, max(seconds))
    note("logins during the first import, median", "s", None, statistics.median(seconds))
    note("logins answered before the user was stored", "", None, without_id)
    note("logins whose answer of the backend was lost", "", 0, len(named) - len(stored))
