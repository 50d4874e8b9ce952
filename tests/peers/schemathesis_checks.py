"""What schemathesis is to hold the daemon to, beside its own checks: loaded by tests/admin/schemathesis.rs."""

import schemathesis

# A position of the log that is not there yet is waited for, and then refused by this word: the answer was asked for.
AWAITED = "position_not_reached"


@schemathesis.check
def no_fault_of_its_own(ctx, response, case):
    """Nothing that is sent may end in a 5xx."""
    if response.status_code >= 500:
        told = response.json()
        assert response.status_code == 503 and told.get("code") == AWAITED, told


@schemathesis.check
def every_answer_has_its_request_id(ctx, response, case):
    """Whoever has an answer can name the request to whoever runs the daemon."""
    assert response.headers.get("x-request-id"), "no x-request-id"
