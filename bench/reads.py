"""What a full read costs: the first one, one that changes nothing, one that changes a hundredth; and proving the log."""

from simulators import bench, load
from stores import LOG, apart

PAIRS = "SELECT group_id, user_id FROM membership WHERE to_position IS NULL ORDER BY group_id, user_id"
EVERY = 200
# Every two-hundredth membership, spread over all groups.
SAMPLE = f"""SELECT g.external_id, p.email FROM (
    SELECT group_id, user_id, row_number() OVER (ORDER BY group_id, user_id) AS number FROM membership WHERE to_position IS NULL AND source = 'directory'
) m JOIN user_group g ON g.id = m.group_id JOIN user_profile p ON p.user_id = m.user_id WHERE m.number % {EVERY} = 1 ORDER BY m.number"""


def measure(store, note):
    directory, binaries = store.directory, store.binaries
    bare = bench(binaries, "fetch", "--base", directory.base, "--key-file", directory.key_file, "--subject", "admin@example.com")
    fetch = bare["seconds"]
    note("simulator: pages a second to a bare client", "1/s", None, bare["pages"] / fetch)

    read, write, mib, _ = store.sync("applied")
    floor, unpacked = apart(store.insert_floor)
    note("first import, after the fetch / floor", "x", 1.0, write / floor)
    note("first import / (bare fetch + floor)", "x", 1.3, (read + write) / (fetch + floor))
    note("first import, peak memory", "MiB", 200, mib)
    note("first import", "s", None, read + write)

    read, write, mib, _ = store.sync("unchanged")
    unchanged = read + write
    floor = apart(store.read_floor, PAIRS)
    note("unchanged read / (bare fetch + floor)", "x", 1.3, unchanged / (fetch + floor))
    note("unchanged read, peak memory", "MiB", 200, mib)
    note("unchanged read", "s", None, unchanged)

    change_hundredth(store)
    # In a store of a few memberships it may be that none of them can go, and that those to come are there.
    read, write, mib, changed = store.sync("applied", "unchanged")
    note("1 % changed / unchanged read", "x", 1.2, (read + write) / unchanged)
    note("1 % changed, memberships", "", None, changed)
    note("1 % changed, peak memory", "MiB", 200, mib)

    floor = apart(store.read_floor, LOG)
    for command in ["verify", "rebuild"]:
        seconds = store.run(command)[1]
        note(f"{command} / reading the log's rows", "x", 3.0, seconds / floor)
        note(f"{command} / reading an event for each membership", "x", None, seconds / unpacked)


def change_hundredth(store):
    """Half a hundredth goes and as much comes. Who is in a group by an inner group alone can't be taken out of it, and stays."""
    rows = store.rows(SAMPLE)
    changes = [{"action": "remove", "group": group, "member": email} for group, email in rows]
    changes += [{"action": "add", "group": group, "member": rows[k - 1][1]} for k, (group, _) in enumerate(rows)]
    requests = [{"path": "/_control/memberships", "body": body} for body in changes]
    load(store.binaries, store.folder, store.directory.base, requests, len(requests), "--connections", 1, "--refusals")
