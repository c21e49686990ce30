//! Seeds that are bytes: records and requests.

use argus_core::record::{NotBefore, SessionRecord, State, Tombstone, UserRecord};
use argus_engine::proto::internal::IssueClientTokenInput;
use argus_engine::proto::v1::proof::Kind;
use argus_engine::proto::v1::{
    BatchVerifyAccessTokensRequest, ClientContext, DpopProof, IntrospectTokenRequest, Proof,
    RefreshTokenRequest, VerifyAccessTokenRequest,
};
use argus_fuzz::vectors::Seed;
use argus_samples::offline::{CLIENT, session};
use argus_samples::{NOW, OTHER_ISSUER, RESOURCE, TENANT, record};
use prost::Message;

/// All of them.
pub(crate) fn all() -> Vec<Seed> {
    [records(), requests()].concat()
}

/// A record and what is presented: near to it, with flags, a case of time and a rebuild behind it.
fn case(record: &SessionRecord, flags: u8, generation: i8, seconds: i32) -> Vec<u8> {
    let mut bytes = record.encode();
    bytes.extend([1, flags, 0]);
    bytes.extend(generation.to_le_bytes());
    // Issued when the record says; the session is younger than every bound.
    bytes.extend([0, 255, 0, 0]);
    bytes.extend([2, 2, 2, 2, 3, 3, 3, 3]);
    bytes.extend(30_u32.to_le_bytes());
    bytes.extend(10_u32.to_le_bytes());
    bytes.push(1);
    bytes.extend((seconds * 1000).to_le_bytes());
    bytes.extend([255; 4]);
    bytes
}

/// A record on a node that another one followed, and what `PostgreSQL` says: near to it, or an end.
fn rebuilt(record: &SessionRecord, family: i8, generation: i8, contested: bool) -> Vec<u8> {
    let mut bytes = case(record, 0, 0, 5);
    bytes.extend([0, 9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 255]);
    bytes.extend([family, generation, 0, 0, i8::from(contested)].map(i8::cast_unsigned));
    bytes
}

fn records() -> Vec<Seed> {
    let of = |name: &str, bytes: Vec<u8>| ("record", name.to_owned(), bytes);
    let tombstone = Tombstone {
        reason: 12,
        lineage: [1; 8],
        ended_at: NOW,
    };
    let user = UserRecord {
        is_disabled: true,
        lineage: [1; 8],
        not_before: NOW,
    };
    let not_before = NotBefore {
        lineage: [1; 8],
        not_before: NOW,
    };
    let contested = SessionRecord {
        state: State::Contested,
        is_bound: true,
        is_rebuilt: true,
        ..record()
    };
    let last = SessionRecord {
        generation: u32::MAX,
        ..record()
    };
    let bound = SessionRecord {
        is_bound: true,
        ..record()
    };
    let good = record().encode();
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let (proof, strict, rotates, ends, active) = (1, 2, 4, 8, 16);
    let mut older = tombstone.encode();
    older.extend([1, 31, 0, 0, 0, 0, 0, 0, 7, 7, 7, 7]);
    vec![
        of("good-session", good.clone()),
        of("good-contested", contested.encode()),
        of("good-tombstone", tombstone.encode()),
        of("good-user", user.encode()),
        of("good-not-before", not_before.encode()),
        of("good-id", b"AKsAAAAAAAAAAAAAAAAAAAAA".to_vec()),
        of("good-rotated", case(&record(), rotates | active, 0, 100)),
        of("good-repeated", case(&record(), rotates | active, 0, 5)),
        of("good-held", case(&record(), active, 0, 100)),
        of("good-current", case(&record(), rotates, -1, 5)),
        of("good-replayed", case(&record(), rotates, -3, 100)),
        of(
            "good-replayed-ended",
            case(&record(), rotates | ends, -3, 100),
        ),
        of("good-strict", case(&record(), rotates | strict, -1, 5)),
        of("good-adopted", case(&record(), rotates | active, 4, 100)),
        of(
            "good-of-a-contested-family",
            case(&contested, rotates | proof, 0, 100),
        ),
        of("good-rebuilt", rebuilt(&record(), 0, -1, false)),
        of("good-rebuilt-newer", rebuilt(&record(), 0, 1, true)),
        of("good-rebuilt-contested", rebuilt(&contested, 0, 0, false)),
        of(
            "good-rebuilt-family-newer",
            rebuilt(&contested, 1, -6, false),
        ),
        of(
            "good-rebuilt-family-older",
            rebuilt(&record(), -1, 3, false),
        ),
        of(
            "good-last-generation",
            case(&last, rotates | active, 0, 100),
        ),
        of("good-bound-without-proof", case(&bound, rotates, 0, 100)),
        of("good-idle", case(&record(), rotates, 0, 2_000_000)),
        of("good-after-the-end", older),
        of("bad-empty", Vec::new()),
        of("bad-version", with(0, 2)),
        of("bad-state", with(1, 4)),
        of("bad-flags", with(2, 8)),
        of("bad-short", good[..98].to_vec()),
        of("bad-id", b"AKsAAAAAAAAAAAAAAAAAAAA=".to_vec()),
    ]
}

fn requests() -> Vec<Seed> {
    let of = |name: &str, kind: u8, message: Vec<u8>| {
        ("request", name.to_owned(), [vec![kind], message].concat())
    };
    let dpop = Proof {
        kind: Some(Kind::Dpop(DpopProof {
            jwt: "e30.e30.AA".to_owned(),
            http_method: "POST".to_owned(),
            http_uri: "https://server.example.com/token".to_owned(),
        })),
    };
    let certificate = Proof {
        kind: Some(Kind::MtlsCertificateSha256(vec![1; 32])),
    };
    let context = ClientContext {
        ip_address: "192.0.2.1".to_owned(),
        ..ClientContext::default()
    };
    let access = |token: &str| VerifyAccessTokenRequest {
        access_token: token.to_owned(),
        ..VerifyAccessTokenRequest::default()
    };
    let verify = access("@");
    let verify_of = |token| access(token).encode_to_vec();
    let of_others_client = VerifyAccessTokenRequest {
        resource: OTHER_ISSUER.to_owned(),
        ..access("#")
    };
    let rich = VerifyAccessTokenRequest {
        resource: RESOURCE.to_owned(),
        required_scopes: vec!["things.read".to_owned()],
        acr_values: vec!["urn:argus:acr:2".to_owned()],
        max_age: Some(prost_types::Duration {
            seconds: 60,
            nanos: 0,
        }),
        client_context: Some(context.clone()),
        consistency: 1,
        activity: 1,
        attempt_id: "a".to_owned(),
        ..verify.clone()
    };
    let proved = VerifyAccessTokenRequest {
        proof: Some(dpop.clone()),
        ..verify.clone()
    };
    let batch = |requests: Vec<VerifyAccessTokenRequest>| {
        BatchVerifyAccessTokensRequest { requests }.encode_to_vec()
    };
    let refresh = RefreshTokenRequest {
        refresh_token: "@".to_owned(),
        ..RefreshTokenRequest::default()
    };
    let refresh_of = |token: &str| {
        let refresh_token = token.to_owned();
        RefreshTokenRequest {
            refresh_token,
            ..RefreshTokenRequest::default()
        }
        .encode_to_vec()
    };
    let rich_refresh = RefreshTokenRequest {
        scope: "things.read".to_owned(),
        resource: RESOURCE.to_owned(),
        proof: Some(certificate.clone()),
        client_context: Some(context),
        user_active: true,
        attempt_id: "a".to_owned(),
        ..refresh.clone()
    };
    let introspect = |token: &str| {
        let token = token.to_owned();
        IntrospectTokenRequest { token }.encode_to_vec()
    };
    vec![
        of("good-verify", 0, verify.encode_to_vec()),
        of("good-verify-rich", 0, rich.encode_to_vec()),
        of("good-verify-proved", 0, proved.encode_to_vec()),
        of("good-verify-empty", 0, Vec::new()),
        of(
            "bad-verify-truncated",
            0,
            verify.encode_to_vec()[..2].to_vec(),
        ),
        of("bad-verify-not-utf-8", 0, vec![0x0a, 2, 0xc3, 0x28]),
        of("bad-verify-wrong-type", 0, vec![0x08, 1]),
        of(
            "bad-verify-length",
            0,
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f],
        ),
        of("good-batch", 1, batch(vec![verify, rich, proved])),
        of("good-batch-empty", 1, Vec::new()),
        of(
            "good-batch-of-101",
            1,
            batch(vec![VerifyAccessTokenRequest::default(); 101]),
        ),
        // Two bytes an entry; each is a large message in memory.
        of("good-batch-wasteful", 1, [0x0a, 0].repeat(8_000)),
        of("good-verify-wasteful", 0, [0x1a, 0].repeat(8_000)),
        of("good-refresh", 2, refresh.encode_to_vec()),
        of("good-refresh-rich", 2, rich_refresh.encode_to_vec()),
        of("good-introspect", 3, introspect("@")),
        of("good-verify-of-another-tenant", 0, verify_of("!")),
        of(
            "good-verify-of-another-tenants-client",
            0,
            of_others_client.encode_to_vec(),
        ),
        of(
            "good-introspect-of-another-tenants-client",
            3,
            introspect("#"),
        ),
        of("good-verify-under-a-pulled-key", 0, verify_of("~")),
        of(
            "good-batch-of-all",
            1,
            batch(["@", "!", "~", "@", "x"].map(access).to_vec()),
        ),
        of("good-refresh-of-another-tenant", 2, refresh_of("!")),
        of("good-refresh-under-a-pulled-key", 2, refresh_of("~")),
        of("good-introspect-of-another-tenant", 3, introspect("!")),
        of("good-introspect-under-a-pulled-key", 3, introspect("~")),
        of(
            "good-authorization-of-another-tenant",
            5,
            b"Bearer !".to_vec(),
        ),
        of(
            "bad-authorization-under-a-pulled-key",
            5,
            b"Bearer ~".to_vec(),
        ),
        of("good-claims", 7, b"@".to_vec()),
        of("good-claims-of-another-tenant", 7, b"!".to_vec()),
        of("good-claims-under-a-pulled-key", 7, b"~".to_vec()),
        of("bad-claims-spaced", 7, b"@ ".to_vec()),
        of("good-introspect-anything", 3, introspect("e30.e30.AA")),
        of("good-proof-certificate", 4, certificate.encode_to_vec()),
        of("bad-proof-dpop", 4, dpop.encode_to_vec()),
        of("bad-proof-empty", 4, Vec::new()),
        of("good-authorization", 5, b"Bearer @".to_vec()),
        of("good-authorization-case", 5, b"bEARER  @ ".to_vec()),
        of("bad-authorization-basic", 5, b"Basic @".to_vec()),
        of("bad-authorization-two", 5, b"Bearer @ @".to_vec()),
        of("good-issue-client", 6, client_token().encode_to_vec()),
        of(
            "good-issue-session",
            6,
            session(TENANT, NOW).encode_to_vec(),
        ),
        of("bad-issue-nothing", 6, Vec::new()),
        of("bad-claims", 7, b"e30.e30.AA".to_vec()),
    ]
}

fn client_token() -> IssueClientTokenInput {
    IssueClientTokenInput {
        tenant_id: TENANT.to_owned(),
        client_id: CLIENT.to_owned(),
        scope: "tokens.verify".to_owned(),
        now: NOW,
        ..IssueClientTokenInput::default()
    }
}
