"""What services import that verify tokens, or call with them; nothing of the server comes along."""

from argus.sdk.channel import open_channel, open_sync_channel
from argus.sdk.errors import (
    ProofRequiredError,
    ScopeMissingError,
    StepUpRequiredError,
    TokenRefusedError,
    VerificationError,
    VerifierUnavailableError,
)
from argus.sdk.fetch import Fetcher
from argus.sdk.guards.asgi import ArgusMiddleware
from argus.sdk.guards.current import caller, caller_or_none
from argus.sdk.guards.grpc_aio import VerifyingInterceptor
from argus.sdk.guards.grpc_sync import SyncVerifyingInterceptor
from argus.sdk.jwks import KeySetTimes, RemoteKeySet
from argus.sdk.loop import LoopOverError, LoopThread
from argus.sdk.model import Proof, Requirement, Verified, Verifier
from argus.sdk.offline.feed import FeedTimes, OnSilence, RevocationFeed
from argus.sdk.offline.verifier import OfflineVerifier
from argus.sdk.online import OnlineVerifier
from argus.sdk.tokens.client import ClientTokens
from argus.sdk.tokens.interceptors import client_interceptors
from argus.sdk.tokens.renewal import RenewalOverError, RenewalUnavailableError, TokenSource
from argus.sdk.tokens.session import SavedSession, SessionOverError, SessionTokens
from argus.sdk.tokens.sync_interceptors import sync_client_interceptors

__all__ = [
    "ArgusMiddleware",
    "ClientTokens",
    "FeedTimes",
    "Fetcher",
    "KeySetTimes",
    "LoopOverError",
    "LoopThread",
    "OfflineVerifier",
    "OnSilence",
    "OnlineVerifier",
    "Proof",
    "ProofRequiredError",
    "RemoteKeySet",
    "RenewalOverError",
    "RenewalUnavailableError",
    "Requirement",
    "RevocationFeed",
    "SavedSession",
    "ScopeMissingError",
    "SessionOverError",
    "SessionTokens",
    "StepUpRequiredError",
    "SyncVerifyingInterceptor",
    "TokenRefusedError",
    "TokenSource",
    "VerificationError",
    "Verified",
    "Verifier",
    "VerifierUnavailableError",
    "VerifyingInterceptor",
    "caller",
    "caller_or_none",
    "client_interceptors",
    "open_channel",
    "open_sync_channel",
    "sync_client_interceptors",
]
