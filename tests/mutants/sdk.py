"""Mutants of what services import: how old news are, who is let in, and how tokens are kept (Python)."""

from typing import Final

from tests.mutants.model import Mutant

_FEED: Final = "tests/unit/sdk/test_feed.py::"
_RENEWAL: Final = "tests/unit/sdk/test_renewal.py::"
_TOKENS: Final = "tests/sdk/test_tokens.py::"
_VERIFIERS: Final = "tests/sdk/test_verifiers.py::"
_GRPC: Final = "tests/sdk/test_grpc_guard.py::"
_ASGI: Final = "tests/sdk/test_asgi_guard.py::"


def _python(file: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    path = f"python/argus/sdk/{file}"
    return Mutant(name=name, breaks=breaks, file=path, text=text, replacement=replacement, tests=tests)


SDK: Final = (
    _python(
        "offline/feed.py",
        "news-are-as-new-as-they-come",
        "The age of news is counted from when they arrive.",
        "        as_of = asked_at + state - first\n",
        "        as_of = now\n",
        _FEED + "test_a_message_that_was_long_on_its_way_is_as_old_as_it_is",
    ),
    _python(
        "offline/feed.py",
        "a-clock-that-was-set-is-believed",
        "News that seem to be of a later moment than now make the news new.",
        "if as_of > now + _DRIFT:",
        "if False:",
        _FEED + "test_arguss_clock_that_is_set_forward_makes_no_news_newer",
    ),
    _python(
        "offline/feed.py",
        "no-bound",
        "News of any age are gone by.",
        "if not self._fails_open and (staleness is None or staleness > self._times.bound):",
        "if False:",
        _FEED + "test_news_get_old_and_then_decide_nothing",
    ),
    _python(
        "offline/feed.py",
        "a-silent-stream-is-waited-for",
        "A stream that went silent is never given up.",
        "patience = _MISSED * message.heartbeat_interval.ToTimedelta().total_seconds()",
        "patience = 3600.0",
        _FEED + "test_a_stream_that_is_silent_is_dead",
    ),
    _python(
        "offline/revocations.py",
        "what-does-not-fit-is-dropped",
        "An end that does not fit is forgotten, and nobody is told.",
        "                self._left_out_until = max(self._left_out_until, end)\n                continue",
        "                continue",
        _FEED + "test_more_than_fits_is_an_outage_and_no_yes",
    ),
    _python(
        "offline/revocations.py",
        "entries-stay",
        "What is about no living token is kept for ever.",
        "while self._by_end and self._by_end[0][0] <= now:",
        "while False:",
        _FEED + "test_entries_go_when_their_tokens_have_expired",
    ),
    _python(
        "offline/revocations.py",
        "pulled-keys-come-back",
        "A pulled key is forgotten.",
        "if key[0] != _KEY and self._entries",
        "if self._entries",
        _FEED + "test_a_pulled_key_stays_pulled",
    ),
    _python(
        "offline/proofs.py",
        "a-proof-is-good-twice",
        "A proof of possession is taken again.",
        "        if one in self._used:\n            return False\n",
        "",
        _VERIFIERS + "test_a_token_bound_to_a_dpop_key_needs_its_proof_once",
    ),
    _python(
        "offline/verifier.py",
        "unknown-keys-are-an-answer",
        "A key set that can't be had is a refusal.",
        "            raise VerifierUnavailableError(str(error), retry_after=error.retry_after) from error\n",
        '            raise TokenRefusedError(fault="key") from error\n',
        _VERIFIERS + "test_an_issuer_that_is_away_is_an_outage",
    ),
    _python(
        "guards/grpc_aio.py",
        "answers-are-not-guarded",
        "A stream of answers begins before its call was admitted.",
        "        await admit(context)\n        async for response",
        "        async for response",
        _GRPC + "test_no_kind_of_call_comes_through_without_a_token",
    ),
    _python(
        "guards/asgi.py",
        "an-outage-is-told-as-refusal",
        "What can't be known is 401.",
        "        return HTTPStatus.SERVICE_UNAVAILABLE\n",
        "        return HTTPStatus.UNAUTHORIZED\n",
        _ASGI + "test_promise_4_an_outage_is_503_and_no_challenge",
    ),
    _python(
        "tokens/renewal.py",
        "each-caller-renews",
        "Every caller makes a renewal of its own.",
        "if self._flight is None or self._flight.done():",
        "if True:",
        _RENEWAL + "test_all_callers_share_one_renewal",
        _TOKENS + "test_one_refresh_for_all_callers_is_saved_before_anybody_has_its_token",
    ),
    _python(
        "tokens/renewal.py",
        "a-caller-takes-the-renewal-along",
        "A caller that goes away cancels the renewal.",
        "await asyncio.wait([flight])\n                self._check",
        "await flight\n                self._check",
        _RENEWAL + "test_a_caller_that_is_alone_and_goes_away_does_not_lose_the_answer",
    ),
    _python(
        "tokens/renewal.py",
        "all-at-one-point",
        "Tokens are renewed at one point of their life, all at once.",
        "life * self._uniform(_EARLIEST, _LATEST)",
        "life * 0.725",
        _RENEWAL + "test_points_are_spread_over_45_percent_of_the_life",
    ),
    _python(
        "tokens/renewal.py",
        "an-outage-takes-the-token",
        "A renewal that fails takes the living token from everybody.",
        "        self._failures += 1\n        self._cause = cause\n",
        "        self._failures += 1\n        self._held = None\n        self._cause = cause\n",
        _RENEWAL + "test_an_outage_is_hidden_while_the_token_lives_and_told_as_one_afterwards",
    ),
    _python(
        "tokens/session.py",
        "an-attempt-of-its-own",
        "A refresh has an id that nobody saved: the retry after a crash is another attempt.",
        "attempt_id=self._saved.attempt_id",
        "attempt_id=secrets.token_urlsafe(16)",
        _TOKENS + "test_a_crash_before_the_answer_was_saved_leads_to_the_same_successor",
    ),
    _python(
        "tokens/session.py",
        "who-calls-ends-the-session",
        "A refusal of the service is taken for the session's end.",
        "        if told.reason not in _OVER:\n",
        '        if told.reason not in _OVER and told.code.name != "UNAUTHENTICATED":\n',
        _TOKENS + "test_the_services_own_refusal_is_no_end_of_the_session",
    ),
    _python(
        "tokens/interceptors.py",
        "refused-streams-are-not-noticed",
        "The token of a refused stream is used until it expires.",
        "            self.tokens.refused(token)\n\n\nclass _UnaryUnary",
        "            pass\n\n\nclass _UnaryUnary",
        _TOKENS + "test_a_stream_that_is_refused_is_begun_anew_with_another_token",
    ),
)
