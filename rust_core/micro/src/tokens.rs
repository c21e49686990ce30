//! Tokens, keys and proofs: whole, and the signatures in them alone.

use std::sync::Arc;

use argus_core::ids::SessionId;
use argus_core::token::claims::AccessClaims;
use argus_core::token::compact::{Compact, Header};
use argus_core::token::dpop::{self, HttpRequest};
use argus_core::token::{
    Acr, Audience, Claims, Expected, FoundKey, HttpUri, KeySource, MAX_TOKEN_LEN, Methods,
    RefreshClaims, SessionClaims, SigningKey, TokenType, base64url, issue_access, issue_refresh,
    json, jwk, verify_access, verify_refresh,
};
use argus_samples::{ISSUER, NOW, RESOURCE, RSA, TENANT, ed25519};

use crate::Work;

/// One tenant with a key for each type of token.
struct Tenant {
    access: SigningKey,
    refresh: SigningKey,
}

impl KeySource for Tenant {
    fn tenant_id(&self, issuer: &str) -> Option<&str> {
        (issuer == ISSUER).then_some(TENANT)
    }

    fn key(&self, _tenant_id: &str, token_type: TokenType, kid: &str) -> Option<FoundKey<'_>> {
        let key = match token_type {
            TokenType::Access => &self.access,
            TokenType::Refresh => &self.refresh,
        };
        (key.kid() == kid).then(|| FoundKey {
            key: key.public(),
            is_revoked: false,
        })
    }
}

pub(crate) fn works() -> Vec<Work> {
    let tenant = Arc::new(Tenant {
        access: SigningKey::from_pkcs8(RSA).unwrap(),
        refresh: SigningKey::from_pkcs8(&ed25519(7)).unwrap(),
    });
    [whole(&tenant), parts(&tenant), brought()]
        .into_iter()
        .flatten()
        .collect()
}

fn whole(tenant: &Arc<Tenant>) -> Vec<Work> {
    let [
        of_verify,
        of_issue,
        of_verify_refresh,
        of_issue_refresh,
        of_long,
    ] = std::array::from_fn(|_| Arc::clone(tenant));
    let access = issue_access(&tenant.access, &access_claims()).unwrap();
    let refresh = issue_refresh(&tenant.refresh, &refresh_claims()).unwrap();
    let (claims, of_refresh) = (access_claims(), refresh_claims());
    let expected = Expected::access(Audience::Resource(RESOURCE), NOW);
    let long = ".".repeat(MAX_TOKEN_LEN * 4);
    vec![
        Work::new("access token, verify", move || {
            verify_access(&access, &expected, &*of_verify).unwrap()
        }),
        Work::new("access token, issue", move || {
            issue_access(&of_issue.access, &claims).unwrap()
        }),
        Work::new("refresh token, verify", move || {
            verify_refresh(&refresh, &Expected::refresh(NOW), &*of_verify_refresh).unwrap()
        }),
        Work::new("refresh token, issue", move || {
            issue_refresh(&of_issue_refresh.refresh, &of_refresh).unwrap()
        }),
        Work::new("32 KiB of dots, refuse", move || {
            verify_access(&long, &expected, &*of_long).unwrap_err()
        }),
    ]
}

fn parts(tenant: &Arc<Tenant>) -> Vec<Work> {
    let [of_rsa_check, of_rsa_sign, of_check, of_sign] =
        std::array::from_fn(|_| Arc::clone(tenant));
    let access = issue_access(&tenant.access, &access_claims()).unwrap();
    let message = access.rsplit_once('.').unwrap().0.as_bytes().to_vec();
    let (again, once_more, at_last) = (message.clone(), message.clone(), message.clone());
    let rsa = tenant.access.sign(&message).unwrap();
    let ed25519 = tenant.refresh.sign(&message).unwrap();
    let wasteful = format!("{{\"x\":[{}1]}}", r#"{"":0},"#.repeat(870));
    let members = (0..json::MAX_VALUES - 1).map(|name| format!("\"{name:020}\":0"));
    let widest = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
    vec![
        Work::new("RS256 signature, check", move || {
            of_rsa_check.access.public().verify(&message, &rsa)
        }),
        Work::new("RS256 signature, make and check", move || {
            of_rsa_sign.access.sign(&again).unwrap()
        }),
        Work::new("Ed25519 signature, check", move || {
            of_check.refresh.public().verify(&once_more, &ed25519)
        }),
        Work::new("Ed25519 signature, make and check", move || {
            of_sign.refresh.sign(&at_last).unwrap()
        }),
        Work::new("access token, read without its signature", move || {
            let compact = Compact::decode(&access).unwrap();
            let header = Header::read(&compact.header).unwrap();
            let payload = json::parse_object(&compact.payload).unwrap();
            (header, Claims::read(payload).unwrap())
        }),
        Work::new("6 KiB of small JSON objects, refuse", move || {
            json::parse_object(wasteful.as_bytes()).unwrap_err()
        }),
        Work::new(
            "6 KiB of JSON with as many members as may be, read",
            move || json::parse_object(widest.as_bytes()).unwrap(),
        ),
    ]
}

/// What strangers bring along.
fn brought() -> Vec<Work> {
    let key = SigningKey::from_pkcs8(RSA).unwrap();
    let public = key.public_jwk();
    let own = SigningKey::from_pkcs8(&ed25519(7)).unwrap();
    let header = format!(
        r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{}}}"#,
        own.public_jwk()
    );
    let claims = format!(
        r#"{{"jti":"-BwC3ESc6acc2lTc","htm":"POST","htu":"{RESOURCE}/token","iat":{NOW}}}"#
    );
    let [header, claims] = [header, claims].map(|part| base64url::encode(part.as_bytes()));
    let input = format!("{header}.{claims}");
    let signature = base64url::encode(&own.sign(input.as_bytes()).unwrap());
    let proof = format!("{input}.{signature}");
    vec![
        Work::new("RSA public JWK, read", move || {
            jwk::verifying_key(&public).unwrap()
        }),
        Work::new("DPoP proof of Ed25519, check", move || {
            let uri = HttpUri::parse(&format!("{RESOURCE}/token")).unwrap();
            let request = HttpRequest {
                method: "POST",
                uri: &uri,
                access_token: None,
            };
            dpop::check(&proof, &request, NOW).unwrap()
        }),
    ]
}

fn session() -> SessionClaims {
    SessionClaims {
        session_id: SessionId::parse("AKsAAAAAAAAAAAAAAAAAAAAA").unwrap(),
        family: 1,
        acr: Acr::Aal1,
        amr: Methods::from_names(["pwd"]).unwrap(),
        auth_time: NOW,
    }
}

fn access_claims() -> AccessClaims {
    AccessClaims {
        issuer: ISSUER.to_owned(),
        subject: "u-1".to_owned(),
        audience: vec![RESOURCE.to_owned()],
        expires: NOW + 300,
        issued: NOW,
        token_id: base64url::encode(&[1; 16]),
        client_id: "web".to_owned(),
        scope: "things.read things.write".to_owned(),
        session: Some(session()),
        groups: Vec::new(),
        confirmation: None,
    }
}

fn refresh_claims() -> RefreshClaims {
    RefreshClaims {
        issuer: ISSUER.to_owned(),
        subject: "u-1".to_owned(),
        expires: NOW + 86_400,
        issued: NOW,
        token_id: base64url::encode(&[1; 16]),
        client_id: "web".to_owned(),
        scope: "things.read things.write".to_owned(),
        resources: vec![RESOURCE.to_owned()],
        session: session(),
        generation: 2,
        refresh_id_key: 0,
        groups: Vec::new(),
        confirmation: None,
    }
}
