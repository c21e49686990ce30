"""Mutants of what browsers are let do, and of their cookies."""

from typing import Final

from tests.mutants.model import Mutant

_SITES: Final = "tests/web/browser/test_other_sites.py::"
_SESSIONS: Final = "tests/web/browser/test_sessions.py::"
_ATTACKS: Final = "tests/web/browser/test_attacks.py::"
_BOUND: Final = "tests/web/browser/test_bound.py::"
_APPLICATIONS: Final = "tests/web/browser/test_applications.py::"
_COOKIES: Final = "tests/unit/web/test_cookies.py::"
_FOREIGN: Final = _SITES + "test_f10_asvs_3_5_1_other_sites_get_403"


def _break(part: str, name: str, breaks: str, text: str, replacement: str, *tests: str) -> Mutant:
    file = f"python/argus/{part}"
    return Mutant(name=name, breaks=breaks, file=file, text=text, replacement=replacement, tests=tests)


BROWSER: Final = (
    _break(
        "web/browser/csrf.py",
        "any-origin-let-in",
        "A page of any origin is let in.",
        "if len(said) != 1 or said[0] not in self._origins:",
        "if len(said) > 1:",
        _FOREIGN,
        _SITES + "test_f10_no_rotation_is_spent",
    ),
    _break(
        "web/browser/csrf.py",
        "missing-origin-let-in",
        "Who says no origin is let in.",
        "if not said and not is_needed:",
        "if not said:",
        _FOREIGN,
        "tests/unit/web/test_forms.py::test_a_form_without_origin_is_not",
    ),
    _break(
        "web/browser/csrf.py",
        "fetch-site-not-looked-at",
        "A request that a browser calls cross-site is let in.",
        "if site and not (len(site) == 1 and site[0] in sites):",
        'if site == ["never"]:',
        _FOREIGN,
    ),
    _break(
        "web/browser/csrf.py",
        "applications-of-all-tenants",
        "The origin of one tenant's application is let in at all.",
        'known = self._applications.get(request.path_params.get("tenant_id", ""), ())',
        "known = [origin for one in self._applications.values() for origin in one]",
        _APPLICATIONS + "test_an_origin_is_one_tenants_alone",
    ),
    _break(
        "web/browser/cors.py",
        "any-origin-named",
        "Whoever asks may read the answers.",
        "origin = same_origin.application(request)",
        'origin = request.headers.get("origin")',
        _APPLICATIONS + "test_an_origin_is_one_tenants_alone",
        _SITES + "test_no_other_origin_may_ask_by_script",
    ),
    _break(
        "web/browser/csrf.py",
        "no-header-wanted",
        "What a form can send is let in as a script's.",
        "if HEADER not in request.headers:",
        "if HEADER is None:",
        _FOREIGN,
    ),
    _break(
        "web/browser/cookie_rules.py",
        "refresh-cookie-sent-again",
        "A late answer puts an older refresh token into the jar.",
        "if made.refresh_token != before:",
        "if made.refresh_token:",
        _SESSIONS + "test_rotation_is_that_of_the_table",
    ),
    _break(
        "web/browser/cookies.py",
        "cookies-for-scripts",
        "Scripts can read the cookies.",
        '"Secure", "HttpOnly"]',
        '"Secure"]',
        _COOKIES + "test_asvs_3_3_1_to_5_whatever_is_written_keeps_to_the_rules_or_is_refused",
        _SESSIONS + "test_a_session_from_the_first_step_to_the_last",
    ),
    _break(
        "web/browser/cookies.py",
        "second-cookie-counts",
        "Of two cookies of one name the last one counts.",
        "if kind not in twice and value}",
        "if value}",
        _COOKIES + "test_k03_one_that_is_there_twice_is_none",
    ),
    _break(
        "web/browser/actions.py",
        "sign-out-forgets-only",
        "Signing out forgets the cookies and leaves the session.",
        "await self._sessions.end(token, origin=visit.origin) if token else None",
        "None if token else None",
        _SESSIONS + "test_signed_out_tokens_are_refused_whoever_kept_them",
    ),
    _break(
        "web/browser/actions.py",
        "replaced-session-goes-on",
        "The session that a browser had before goes on without anybody.",
        "if before and is_new:",
        "if before and not is_new:",
        _SESSIONS + "test_signing_in_again_ends_the_session_before",
    ),
    _break(
        "flows/browser_sessions.py",
        "foreign-session-signed-out",
        "A service's token in a cookie ends its session.",
        "(claims.client_id != ACCOUNT_CLIENT or not claims.session_id)",
        "not claims.session_id",
        _ATTACKS + "test_f07_another_clients_token_is_refused",
    ),
    _break(
        "flows/browser_sessions.py",
        "edge-stays-outside",
        "Once all sessions of a tenant were ended, nobody can sign in until the edge's own token has expired.",
        "if refused.reason != _CALLER_TOKEN_INVALID:",
        "if refused.reason:",
        _SESSIONS + "test_the_edge_goes_on_after_all_sessions_were_ended",
    ),
    _break(
        "web/browser/actions.py",
        "access-token-for-every-script",
        "Scripts get the access token whatever the policy says.",
        "if not effective.policy.script_access_token:",
        "if effective is None:",
        _SESSIONS + "test_scripts_see_the_access_token_where_the_policy_lets_them",
    ),
    _break(
        "web/browser/addresses.py",
        "anybody-is-a-proxy",
        "Whoever sends X-Forwarded-For has the address that it names.",
        "if address is None or not self._is_proxy(address):",
        "if address is None:",
        "tests/unit/web/test_addresses.py::test_proxies_that_are_named_are_believed",
    ),
    _break(
        "web/browser/nonces.py",
        "nonces-for-ever",
        "A nonce is good for as long as the installation lasts.",
        "for one in (period, period - 1)",
        "for one in range(period - 99, period + 1)",
        _BOUND + "test_a_nonce_lasts_for_minutes_and_no_other_is_good",
    ),
)
