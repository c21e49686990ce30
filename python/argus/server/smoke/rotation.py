"""Steps: refresh, and old refresh tokens by the table of docs/concepts/rotation.md."""

from datetime import timedelta

from argus.server.smoke.offline import verify_offline
from argus.server.smoke.walk import GRANTED_SCOPE, OWNER, STRANGER, Step, Walk, expect, expect_that, refused, said
from argus.v1 import authentication_service_pb2 as authentication


async def key_set(walk: Walk) -> str:
    """The published key set verifies the access token without a call to Argus."""
    url = f"{walk.stack.server.http_url}/t/{walk.api.tenant_id}/.well-known/jwks.json"
    claims = await verify_offline(walk.access_token, url)
    expect(claims["sid"], walk.session.rpartition("/")[2], "sid")
    return f"signature good, iss {claims['iss']}"


async def refresh(walk: Walk) -> str:
    """The first refresh rotates."""
    answer = await walk.refresh(walk.refresh_tokens[0])
    expect_that(answer.tokens.refresh_token != walk.refresh_tokens[0], "a new refresh token")
    expect(answer.tokens.scope, GRANTED_SCOPE, "scope")
    walk.refresh_tokens.append(answer.tokens.refresh_token)
    walk.access_token = answer.tokens.access_token
    expect((await walk.verify()).session, walk.session, "session of the new access token")
    return "a new pair"


async def narrower_scope(walk: Walk) -> str:
    """A refresh may ask for less, and only for less."""
    answer = await walk.refresh(walk.refresh_tokens[-1], scope="documents.read")
    expect(answer.tokens.scope, "documents.read", "scope")
    verified = await walk.verify(answer.tokens.access_token)
    expect(list(verified.scopes), ["documents.read"], "scopes of the access token")
    wider = walk.refresh(walk.refresh_tokens[-1], scope="documents.read users.write")
    return f"documents.read; more than granted: {said(await refused(wider, 'FIELD_INVALID'))}"


async def old_token_in_grace(walk: Walk) -> str:
    """The token before the newest, from the same device within the grace: its answer was lost, here it is again."""
    answer = await walk.refresh(walk.refresh_tokens[0])
    expect(answer.tokens.refresh_token, walk.refresh_tokens[1], "the current refresh token")
    return "the current token again"


async def old_token_of_a_stranger(walk: Walk) -> str:
    """The same from another device: step-up, and the session goes on."""
    failure = await refused(
        walk.refresh(walk.refresh_tokens[0], context=STRANGER), "STEP_UP_REQUIRED", cause="PRINT_CHANGED"
    )
    await walk.verify()
    return said(failure)


async def old_token_after_grace(walk: Walk) -> str:
    """After the grace: step-up, and the session goes on."""
    await walk.stack.advance(timedelta(seconds=45))
    failure = await refused(walk.refresh(walk.refresh_tokens[0]), "STEP_UP_REQUIRED", cause="ANSWER_LATE")
    answer = await walk.refresh(walk.refresh_tokens[1])
    walk.refresh_tokens.append(answer.tokens.refresh_token)
    walk.access_token = answer.tokens.access_token
    return said(failure)


async def replay(walk: Walk) -> str:
    """Older than one: somebody has a copy, and every holder must step up."""
    failure = await refused(walk.refresh(walk.refresh_tokens[0]), "STEP_UP_REQUIRED", cause="REPLAYED")
    await refused(walk.refresh(walk.refresh_tokens[2]), "STEP_UP_REQUIRED", cause="CONTESTED")
    await refused(walk.verify(), "STEP_UP_REQUIRED", cause="CONTESTED")
    return f"{said(failure)}; the newest and verify: CONTESTED"


async def step_up(walk: Walk) -> str:
    """The way out: the user proves itself, nobody without the password does, and only the new tokens are good."""
    stale, stale_access = walk.refresh_tokens[2], walk.access_token
    begun = await walk.api.authentication.StartStepUp(
        authentication.StartStepUpRequest(parent=walk.api.parent, refresh_token=stale, client_context=OWNER)
    )
    await refused(walk.submit(begun.login_token, "not the password of Ada"), "FACTOR_REFUSED")
    done = await walk.submit(begun.login_token, walk.password)
    expect(done.session.name, walk.session, "session")
    walk.access_token, walk.refresh_tokens = done.tokens.access_token, [done.tokens.refresh_token]
    await walk.verify()
    renewed = await walk.refresh(walk.refresh_tokens[0])
    walk.access_token = renewed.tokens.access_token
    walk.refresh_tokens.append(renewed.tokens.refresh_token)
    await refused(walk.verify(stale_access), "STEP_UP_REQUIRED", cause="FAMILY_OLDER")
    failure = await refused(walk.refresh(stale), "STEP_UP_REQUIRED", cause="FAMILY_OLDER")
    return f"the same session, new tokens; with the old ones: {said(failure)}"


STEPS: tuple[Step, ...] = (
    ("key set", key_set),
    ("refresh", refresh),
    ("narrower scope", narrower_scope),
    ("old token, in grace", old_token_in_grace),
    ("old token, stranger", old_token_of_a_stranger),
    ("old token, after grace", old_token_after_grace),
    ("old token, replayed", replay),
    ("step-up", step_up),
)
