//! Two tenants with keys, and the claims of good tokens.

use std::collections::HashMap;
use std::sync::LazyLock;

use argus_core::ids::Keyspace;
use argus_core::token::{
    AccessClaims, Acr, Algorithm, Audience, Expected, Methods, RefreshClaims, SessionClaims,
    SigningKey, TokenType,
};

use super::{Tenant, Tenants, new_key, public};

pub(crate) const NOW: u32 = 1_800_000_000;
pub(crate) const ISSUER: &str = "https://argus.example/t/acme";
pub(crate) const API: &str = "https://api.example";

/// The keys of tenant `acme`, a pulled refresh key of it, and a second tenant that has an access key of its own.
pub(crate) struct World {
    pub(crate) access: SigningKey,
    pub(crate) refresh: SigningKey,
    pub(crate) pulled: SigningKey,
    pub(crate) other: SigningKey,
    pub(crate) tenants: Tenants,
}

pub(crate) static WORLD: LazyLock<World> = LazyLock::new(|| {
    let [access, other] = [new_key(Algorithm::Rs256), new_key(Algorithm::Rs256)];
    let [refresh, pulled] = [new_key(Algorithm::EdDsa), new_key(Algorithm::EdDsa)];
    let entry = |token_type, key: &SigningKey, is_revoked| {
        (
            (token_type, key.kid().to_owned()),
            (public(key), is_revoked),
        )
    };
    let acme = HashMap::from([
        entry(TokenType::Access, &access, false),
        entry(TokenType::Refresh, &refresh, false),
        entry(TokenType::Refresh, &pulled, true),
        entry(TokenType::Access, &pulled, true),
    ]);
    let tenants = Tenants(vec![
        Tenant {
            id: "acme",
            issuer: ISSUER,
            keys: acme,
        },
        Tenant {
            id: "other",
            issuer: "https://argus.example/t/other",
            keys: HashMap::from([entry(TokenType::Access, &other, false)]),
        },
    ]);
    World {
        access,
        refresh,
        pulled,
        other,
        tenants,
    }
});

pub(crate) fn session() -> SessionClaims {
    let keyspace = Keyspace::new(&[1; 32]).unwrap();
    SessionClaims {
        session_id: keyspace.session_id("acme", "u-1", [2; 16]),
        family: 3,
        acr: Acr::Aal2,
        amr: Methods::from_names(["pwd", "otp", "mfa"]).unwrap(),
        auth_time: NOW - 100,
    }
}

pub(crate) fn access_claims() -> AccessClaims {
    AccessClaims {
        issuer: ISSUER.to_owned(),
        subject: "u-1".to_owned(),
        audience: vec![API.to_owned()],
        expires: NOW + 300,
        issued: NOW,
        token_id: "j-1".to_owned(),
        client_id: "web".to_owned(),
        scope: "read write".to_owned(),
        session: Some(session()),
        groups: vec![],
        confirmation: None,
    }
}

pub(crate) fn client_claims() -> AccessClaims {
    AccessClaims {
        subject: "svc".to_owned(),
        client_id: "svc".to_owned(),
        audience: vec![ISSUER.to_owned()],
        session: None,
        ..access_claims()
    }
}

pub(crate) fn refresh_claims() -> RefreshClaims {
    RefreshClaims {
        issuer: ISSUER.to_owned(),
        subject: "u-1".to_owned(),
        expires: NOW + 86_400,
        issued: NOW - 50,
        token_id: "computed".to_owned(),
        client_id: "web".to_owned(),
        scope: "read".to_owned(),
        resources: vec![API.to_owned()],
        groups: vec![],
        session: session(),
        generation: 7,
        refresh_id_key: 255,
        confirmation: None,
    }
}

pub(crate) fn for_api() -> Expected<'static> {
    Expected::access(Audience::Resource(API), NOW)
}
