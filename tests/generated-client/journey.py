"""The way the documentation describes, gone with a client that was made from the service's own
description. Everything is read through the client's types: what they lack, the description lacks.
"""

import os
import subprocess
from datetime import date
from http import HTTPStatus

from tiktok_intelligence import AuthenticatedClient, Client
from tiktok_intelligence.api.account import create_key, get_usage, list_keys, revoke_key
from tiktok_intelligence.api.privacy import get_export, list_privacy_requests, request_export
from tiktok_intelligence.api.service import health
from tiktok_intelligence.api.videos import (
    batch_videos,
    find_video,
    get_creator,
    get_hashtag,
    get_video,
    list_comments,
    list_creator_videos,
    search_videos,
)
from tiktok_intelligence.models import (
    Basis,
    Batch,
    BatchRequest,
    Comments,
    Condition,
    CreateKeyRequest,
    Creator,
    Environment,
    ExportRequest,
    Hashtag,
    Health,
    ItemStatus,
    KeyList,
    ListedExport,
    NewKeyView,
    Origin,
    Plan,
    Problem,
    Reason,
    RequestList,
    SearchField,
    SearchRequest,
    State,
    UsageView,
    Video,
    VideoPage,
)

API = os.environ["VIDINTEL_API"]
# Moves the clock of the local cloud on by the time that is added to it.
ADVANCE = os.environ["VIDINTEL_ADVANCE"].split()

# The sandbox's catalogue: docs/SANDBOX.md.
COMPLETE = "7501000000000000001"
OEMBED_ONLY = "7502000000000000002"
POPULAR = "7515000000000000015"
COMMENTED = "7516000000000000016"
MISSING = "7570000000000000070"
CREATOR = "sandbox.baker"
HASHTAG = "sandboxbread"


def client(key: str) -> AuthenticatedClient:
    """A client that sends `key`, and is told of every status that is not described."""
    return AuthenticatedClient(
        base_url=API,
        token=key,
        prefix="",
        auth_header_name="X-API-Key",
        raise_on_unexpected_status=True,
    )


def answer(response, kind: type, status: HTTPStatus = HTTPStatus.OK):
    """The typed answer, which must be of this kind and carry nothing that is not described."""
    assert response.status_code == status, (response.status_code, response.content)
    assert isinstance(response.parsed, kind), response.parsed
    assert not response.parsed.additional_properties, response.parsed.additional_properties
    return response.parsed


def problem(response, status: HTTPStatus, kind: str) -> Problem:
    """The typed problem, of this kind."""
    found = answer(response, Problem, status)
    assert found.type_.endswith(f"/problems/{kind}"), found
    assert found.status == status and found.title and found.detail and found.request_id, found
    return found


def ask(operation, *arguments, **named):
    """Asks, and once more where the limit of the minute says to wait."""
    response = operation.sync_detailed(*arguments, **named)
    if response.status_code != HTTPStatus.TOO_MANY_REQUESTS:
        return response
    found = answer(response, Problem, HTTPStatus.TOO_MANY_REQUESTS)
    assert found.violated_policies == ["minute"], found
    wait = int(response.headers["Retry-After"])
    assert 0 < wait <= 60, wait
    subprocess.run([*ADVANCE, f"{wait}s"], check=True, stdout=subprocess.DEVNULL)
    return operation.sync_detailed(*arguments, **named)


def step(text: str) -> None:
    print(f"  {text}", flush=True)


def keys(live: AuthenticatedClient) -> NewKeyView:
    """Lists the keys and makes one of the sandbox."""
    listed = answer(list_keys.sync_detailed(client=live), KeyList)
    assert [it.environment for it in listed.keys] == [Environment.LIVE], listed
    body = CreateKeyRequest(name="generated client", environment=Environment.TEST)
    made = answer(
        create_key.sync_detailed(client=live, body=body, idempotency_key="journey"),
        NewKeyView,
        HTTPStatus.CREATED,
    )
    assert made.environment is Environment.TEST and made.key.startswith("tvi_test_"), made.hint
    again = create_key.sync_detailed(client=live, body=body, idempotency_key="journey")
    assert answer(again, NewKeyView, HTTPStatus.CREATED).id == made.id
    listed = answer(list_keys.sync_detailed(client=live), KeyList)
    assert made.id in {it.id for it in listed.keys}
    return made


def videos(sandbox: AuthenticatedClient) -> None:
    """Asks for videos by id, by address, and many at once."""
    video = answer(ask(get_video, COMPLETE, client=sandbox), Video)
    assert video.id == COMPLETE and video.author.username.value == CREATOR, video
    assert video.statistics.views.value == 1_000
    assert video.statistics.views.source is Origin.RESEARCH
    assert video.statistics.views.basis is Basis.OBSERVED
    rate = video.engagement.engagement_rate_by_views
    assert rate.basis is Basis.DERIVED and rate.inputs["views"] == 1_000, rate
    assert video.created_at.value.year == 2025 and video.thumbnail.value.url.startswith("https://")

    partial = answer(ask(get_video, OEMBED_ONLY, client=sandbox), Video)
    assert partial.statistics.views.value is None, partial.statistics.views
    assert partial.statistics.views.reason is Reason.NOT_IN_SOURCE

    # More than fits a number of JavaScript.
    popular = answer(ask(get_video, POPULAR, client=sandbox), Video)
    assert popular.statistics.views.value == 9_007_199_254_740_993

    address = f"https://www.tiktok.com/@made.up/video/{COMPLETE}"
    found = ask(find_video, client=sandbox, url_query=address, include="creator")
    found = answer(found, Video)
    assert found.id == COMPLETE
    assert found.engagement.views_to_followers.value is not None, found.engagement

    body = BatchRequest(videos=[COMPLETE, MISSING, "nonsense"])
    batch = answer(ask(batch_videos, client=sandbox, body=body), Batch)
    statuses = [it.status for it in batch.items]
    assert statuses == [ItemStatus.FOUND, ItemStatus.NOT_FOUND, ItemStatus.INVALID], statuses
    assert isinstance(batch.items[0].video, Video) and batch.items[1].video is None

    missing = ask(get_video, MISSING, client=sandbox)
    problem(missing, HTTPStatus.NOT_FOUND, "video-not-found")
    problem(
        ask(get_video, "nonsense", client=sandbox),
        HTTPStatus.BAD_REQUEST,
        "invalid-value",
    )


def searches(sandbox: AuthenticatedClient) -> None:
    """Searches, and goes on with the second page."""
    condition = Condition(field=SearchField.HASHTAG, values=[HASHTAG])
    days = {"from_": date(2025, 7, 1), "to": date(2025, 7, 30)}
    body = SearchRequest(and_=[condition], limit=1, **days)
    page = answer(ask(search_videos, client=sandbox, body=body), VideoPage)
    assert len(page.videos) == 1 and isinstance(page.next_cursor, str), page
    assert HASHTAG in page.videos[0].hashtags.value
    body = SearchRequest(and_=[condition], limit=1, cursor=page.next_cursor, **days)
    following = answer(ask(search_videos, client=sandbox, body=body), VideoPage)
    assert following.videos[0].id != page.videos[0].id

    comments = answer(ask(list_comments, COMMENTED, client=sandbox, limit=3), Comments)
    assert [it.likes for it in comments.comments] == [1, 2, 3] and comments.next_cursor == "3"

    creator = answer(ask(get_creator, CREATOR, client=sandbox), Creator)
    assert creator.followers.value == 123_456 and creator.is_verified.value is True
    assert (
        creator.recent.sample.videos > 0 and len(creator.recent.posting_times.value.by_hour) == 24
    )
    page = answer(ask(list_creator_videos, CREATOR, client=sandbox), VideoPage)
    assert page.videos[0].engagement.outlier_multiple.value is not None

    hashtag = answer(ask(get_hashtag, HASHTAG, client=sandbox), Hashtag)
    assert hashtag.name == HASHTAG and hashtag.sample.creators == 1, hashtag


def rights(live: AuthenticatedClient) -> None:
    """Asks for a copy of everything that is kept."""
    asked = request_export.sync_detailed(client=live)
    asked = answer(asked, ExportRequest, HTTPStatus.ACCEPTED)
    assert asked.state in (State.SCHEDULED, State.RUNNING, State.DONE), asked
    export = answer(get_export.sync_detailed(asked.id, client=live), ExportRequest)
    assert export.id == asked.id
    listed = answer(list_privacy_requests.sync_detailed(client=live), RequestList)
    assert isinstance(listed.requests[0], ListedExport), listed.requests
    assert listed.requests[0].id == asked.id


def main() -> None:
    live = client(os.environ["VIDINTEL_KEY"])

    step("health")
    state = answer(health.sync_detailed(client=Client(base_url=API)), Health)
    assert state.status == "ok" and {it.name for it in state.parts} >= {"redis", "dynamodb"}, state
    step("keys")
    made = keys(live)
    sandbox = client(made.key)
    step("videos")
    videos(sandbox)
    step("searches")
    searches(sandbox)
    step("usage")
    usage = answer(get_usage.sync_detailed(client=live), UsageView)
    assert usage.plan is Plan.FREE and usage.used + usage.remaining + usage.withheld == usage.limit
    step("export")
    rights(live)
    step("revoking the key")
    revoked = revoke_key.sync_detailed(made.id, client=live)
    assert revoked.status_code == HTTPStatus.NO_CONTENT, revoked.content
    refused = ask(get_video, COMPLETE, client=sandbox)
    problem(refused, HTTPStatus.UNAUTHORIZED, "invalid-api-key")
    print("the generated client goes the whole way")


main()
