"""Google's own Python client, pointed at a running simulator: it must find the API that it knows.

The world is set up by the test that starts this (`simulator/tests/simulator/peer.rs`), which also says where the
simulator is, as JSON on stdin. Each check is a function whose docstring cites the acceptance numbers it proves; for each
that holds one line is printed, and the first that does not ends the program.
"""

import json
import pathlib
import sys
import urllib.request

from google.oauth2 import service_account
from googleapiclient import discovery
from googleapiclient.discovery_cache import DISCOVERY_DOC_DIR
from googleapiclient.errors import HttpError

SCOPES = [
    "https://www.googleapis.com/auth/admin.directory.group.readonly",
    "https://www.googleapis.com/auth/admin.directory.user.readonly",
]
CUSTOMER = "my_customer"
BIG = "grp_acme_big@example.com"
WIRE = pathlib.Path(__file__).parents[2] / "wire" / "google"


class Stage:
    """Where the simulator is, and Google's client for it."""

    def __init__(self, told):
        self.base, self.key, self.control = told["base_url"], told["service_account_key"], told["control_url"]
        self.client = self.client_with(SCOPES)

    def client_with(self, scopes):
        credentials = service_account.Credentials.from_service_account_info(
            self.key, scopes=scopes, subject="admin@example.com"
        )
        return discovery.build(
            "admin",
            "directory_v1",
            credentials=credentials,
            static_discovery=True,
            cache_discovery=False,
            client_options={"api_endpoint": self.base},
        )

    def asked(self, path, method="GET", body=None):
        """The simulator's control endpoint, beside the API that it plays."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.control + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def fault(self, fault, times=1, **target):
        self.asked("/faults", "POST", {"target": {"system": "google", "times": times, **target}, "fault": fault})


def pages(resource, **parameters):
    """Every page of a list, as the client's own list_next walks them."""
    request = resource.list(**parameters)
    while request is not None:
        page = request.execute()
        yield page
        request = resource.list_next(request, page)


def walked(resource, key, **parameters):
    """The sizes of the pages, and all rows."""
    found = [page.get(key, []) for page in pages(resource, **parameters)]
    return [len(rows) for rows in found], [row for rows in found for row in rows]


def refused(request, status, reason):
    """What the client makes of a refusal."""
    try:
        answer = request.execute()
    except HttpError as error:
        found = error.status_code, error.error_details[0]["reason"]
        assert found == (status, reason), f"{found}, expected {(status, reason)}"
        return error
    raise AssertionError(f"expected {status} {reason}, got {str(answer)[:200]}")


def groups_are_walked_in_pages_of_200(stage):
    """G1, G3"""
    for asked in [{}, {"maxResults": 200}, {"domain": "example.com"}]:
        scope = asked if "domain" in asked else {"customer": CUSTOMER, **asked}
        sizes, groups = walked(stage.client.groups(), "groups", **scope)
        assert sizes == [200, 10], (asked, sizes)
        assert len({group["id"] for group in groups}) == 210
    sizes, groups = walked(stage.client.groups(), "groups", customer=CUSTOMER, maxResults=100)
    assert sizes == [100, 100, 10], sizes
    _, groups = walked(stage.client.groups(), "groups", customer=CUSTOMER, query="email:grp_acme_big*")
    assert [group["email"] for group in groups] == [BIG]


def members_are_walked_and_counted(stage):
    """G1, G2"""
    sizes, members = walked(stage.client.members(), "members", groupKey=BIG)
    assert sizes == [200, 200, 50], sizes
    assert len({member["email"] for member in members}) == 450
    assert {member["type"] for member in members} == {"USER"}
    assert stage.client.groups().get(groupKey=BIG).execute()["directMembersCount"] == "450"


def users_are_walked_in_pages_of_100_or_as_asked(stage):
    """G1"""
    sizes, users = walked(stage.client.users(), "users", customer=CUSTOMER)
    assert sizes == [100, 100, 100, 100, 53], sizes
    assert len({user["id"] for user in users}) == 453
    sizes, _ = walked(stage.client.users(), "users", customer=CUSTOMER, maxResults=500, projection="basic")
    assert sizes == [453], sizes


def an_empty_list_is_a_page_without_it(stage):
    """S6"""
    page = stage.client.members().list(groupKey="grp_acme_empty@example.com").execute()
    assert "members" not in page and "nextPageToken" not in page, page
    assert walked(stage.client.groups(), "groups", userKey="nobody.in.any@example.org") == ([0], [])


def one_users_groups_are_asked_by_address_alias_and_id(stage):
    """G3"""
    user = stage.client.users().get(userKey="ann@example.org").execute()
    assert user["aliases"] == ["a.n@example.org"], user
    for key in ["ANN@example.ORG", "a.n@example.org", user["id"]]:
        _, groups = walked(stage.client.groups(), "groups", userKey=key)
        assert [group["email"] for group in groups] == ["inner@example.com"], (key, groups)


def nested_groups_are_served_as_they_are(stage):
    """G4"""
    _, outer = walked(stage.client.groups(), "groups", userKey="inner@example.com")
    assert [group["email"] for group in outer] == ["outer@example.com"], outer
    _, direct = walked(stage.client.members(), "members", groupKey="outer@example.com")
    assert sorted(member["type"] for member in direct) == ["CUSTOMER", "EXTERNAL", "GROUP"], direct
    assert ["email" in member for member in direct if member["type"] == "CUSTOMER"] == [False]
    _, derived = walked(
        stage.client.members(), "members", groupKey="outer@example.com", includeDerivedMembership=True
    )
    assert "ann@example.org" in [member.get("email") for member in derived], derived
    held = stage.client.members().hasMember(groupKey="outer@example.com", memberKey="ann@example.org").execute()
    assert held == {"isMember": True}, held


def a_suspended_user_is_still_a_member(stage):
    """G5"""
    user = stage.client.users().get(userKey="sam@example.org").execute()
    assert (user["suspended"], user["primaryEmail"]) == (True, "sam@example.org"), user
    member = stage.client.members().get(groupKey="inner@example.com", memberKey="sam@example.org").execute()
    assert (member["status"], member["role"]) == ("SUSPENDED", "MEMBER"), member


def an_unknown_user_is_404_and_a_deleted_one_412(stage):
    """G6"""
    unknown = refused(stage.client.groups().list(userKey="who@example.org"), 404, "notFound")
    assert "userKey" in unknown.reason, unknown.reason
    deleted = refused(stage.client.groups().list(userKey="gone@example.org"), 412, "conditionNotMet")
    assert deleted.reason == "User is deleted", deleted.reason
    refused(stage.client.members().list(groupKey="no.such@example.com"), 404, "notFound")
    refused(stage.client.users().get(userKey="who@example.org"), 404, "notFound")


def a_rate_limit_is_one_to_the_client_too_and_a_refusal_is_not(stage):
    """G7"""
    for reason, repeats in [("userRateLimitExceeded", True), ("rateLimitExceeded", True), ("forbidden", False)]:
        stage.fault({"kind": "google_error", "code": 403, "reason": reason})
        refused(stage.client.groups().list(customer=CUSTOMER), 403, reason)
        stage.fault({"kind": "google_error", "code": 403, "reason": reason})
        request = stage.client.groups().list(customer=CUSTOMER)
        waits = []
        request._sleep = waits.append
        if repeats:
            assert len(request.execute(num_retries=1)["groups"]) == 200
            assert len(waits) == 1, waits
        else:
            try:
                request.execute(num_retries=1)
                raise AssertionError("it was repeated")
            except HttpError as error:
                assert (error.status_code, waits) == (403, []), error


def a_page_that_fails_ends_the_walk(stage):
    """G1, S5"""
    stage.fault({"kind": "google_error", "code": 503, "reason": "backendError"}, page=2, path_contains="/members")
    read = []
    try:
        for page in pages(stage.client.members(), groupKey=BIG):
            read.append(len(page["members"]))
        raise AssertionError("it was walked to its end")
    except HttpError as error:
        assert (read, error.status_code) == ([200], 503), (read, error)


def a_scope_opens_only_its_resource(stage):
    """G7"""
    groups_only = stage.client_with(SCOPES[:1])
    assert groups_only.groups().list(customer=CUSTOMER).execute()["kind"] == "admin#directory#groups"
    refused(groups_only.users().list(customer=CUSTOMER), 403, "insufficientPermissions")


def a_token_is_fetched_once_and_renewed_when_it_is_refused(stage):
    """G8"""
    client = stage.client_with(SCOPES)
    before = stage.asked("/state")["tokens_issued"]
    walked(client.users(), "users", customer=CUSTOMER)
    assert stage.asked("/state")["tokens_issued"] == before + 1
    stage.asked("/tokens", "DELETE")
    walked(client.groups(), "groups", customer=CUSTOMER)
    assert stage.asked("/state")["tokens_issued"] == before + 2


def what_the_api_does_not_take_is_refused(stage):
    """S5"""
    refused(stage.client.groups().list(), 400, "badRequest")
    refused(stage.client.groups().list(customer=CUSTOMER, userKey="ann@example.org"), 400, "badRequest")
    refused(stage.client.groups().list(customer=CUSTOMER, pageToken="made-up"), 400, "invalid")


def the_copied_documents_are_cut_from_these(_):
    """G3: simulator/wire/google says what Google's documents say, and no more."""
    for copy in sorted(WIRE.glob("*.subset.json")):
        original = pathlib.Path(DISCOVERY_DOC_DIR) / copy.name.replace(".subset", "")
        for path, ours, theirs in leaves(json.loads(copy.read_text()), json.loads(original.read_text())):
            assert ours == theirs, f"{copy.name}: {path}: {ours!r}, not {theirs!r}"


def leaves(ours, theirs, path=""):
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from leaves(value, theirs.get(key), f"{path}/{key}")
    else:
        yield path, ours, theirs


CHECKS = [
    groups_are_walked_in_pages_of_200,
    members_are_walked_and_counted,
    users_are_walked_in_pages_of_100_or_as_asked,
    an_empty_list_is_a_page_without_it,
    one_users_groups_are_asked_by_address_alias_and_id,
    nested_groups_are_served_as_they_are,
    a_suspended_user_is_still_a_member,
    an_unknown_user_is_404_and_a_deleted_one_412,
    a_rate_limit_is_one_to_the_client_too_and_a_refusal_is_not,
    a_page_that_fails_ends_the_walk,
    a_scope_opens_only_its_resource,
    a_token_is_fetched_once_and_renewed_when_it_is_refused,
    what_the_api_does_not_take_is_refused,
    the_copied_documents_are_cut_from_these,
]

if __name__ == "__main__":
    STAGE = Stage(json.load(sys.stdin))
    for check in CHECKS:
        check(STAGE)
        print("ok", check.__name__, flush=True)
