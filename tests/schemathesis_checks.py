"""What Schemathesis does not check by itself."""

import schemathesis
from schemathesis.specs.openapi.checks import response_schema_conformance

# A customer's own limit, which the description names: the free plan asks TikTok's Research API only twice a day.
ALLOWED = "/problems/source-allowance-used"


@schemathesis.check
def no_failure_of_ours(ctx, response, case):
    """Fails for every server error but the one that is a customer's limit."""
    if response.status_code < 500:
        return
    kind = response.json().get("type") if "json" in response.headers.get("content-type", [""])[0] else None
    if not (kind or "").endswith(ALLOWED):
        raise AssertionError(f"server error {response.status_code}: {response.text}")


@schemathesis.check
def whole_answers_are_of_their_schema(ctx, response, case):
    """Holds an answer against its schema, unless a part of it was asked for: `fields` leaves out what is required,
    and `trim` leaves of each figure its value alone."""
    query = case.query or {}
    is_part = query.get("fields") or str(query.get("trim")).lower() == "true"
    if response.status_code == 200 and is_part:
        return None
    return response_schema_conformance(ctx, response, case)
