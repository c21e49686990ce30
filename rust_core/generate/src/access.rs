//! The access rules of the hot RPCs, from their option `(argus.v1.access)`: Python reads the same source.

use std::fmt::Write as _;

use protox::prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};

use crate::redact::snake;

/// The hot RPCs of `argus.v1.TokenService`.
const HOT: [&str; 4] = [
    "VerifyAccessToken",
    "BatchVerifyAccessTokens",
    "RefreshToken",
    "IntrospectToken",
];

/// Source of `access.rs`.
pub(crate) fn table(pool: &DescriptorPool) -> Result<String, String> {
    let service = pool
        .get_service_by_name("argus.v1.TokenService")
        .ok_or("proto/argus/v1/token_service.proto has no TokenService")?;
    let mut text = String::new();
    for name in HOT {
        let method = service.methods().find(|method| method.name() == name);
        let method = method.ok_or_else(|| format!("TokenService has no {name}"))?;
        let constant = snake(name).to_ascii_uppercase();
        let path = format!("/{}/{name}", service.full_name());
        let scope = scope(pool, &method)?;
        let _ = write!(
            text,
            "/// `{name}`.\npub const {constant}: HotMethod = HotMethod {{\n    name: {name:?},\n    path: {path:?},\n    \
             scope: {scope:?},\n}};\n"
        );
    }
    let constants: Vec<String> = HOT
        .iter()
        .map(|name| snake(name).to_ascii_uppercase())
        .collect();
    let _ = write!(
        text,
        "\n/// All of them.\npub const HOT_METHODS: [HotMethod; {}] = [{}];\n",
        HOT.len(),
        constants.join(", ")
    );
    Ok(format!("use super::HotMethod;\n\n{text}"))
}

/// The scope that the RPC's option asks of callers; a hot RPC is neither anonymous nor the system tenant's.
fn scope(pool: &DescriptorPool, method: &MethodDescriptor) -> Result<String, String> {
    let missing = || {
        format!(
            "{} states no (argus.v1.access) with a scope",
            method.full_name()
        )
    };
    let extension = pool
        .get_extension_by_name("argus.v1.access")
        .ok_or_else(missing)?;
    let options: DynamicMessage = method.options();
    let access = options.get_extension(&extension).into_owned();
    let access = access.as_message().ok_or_else(missing)?;
    let flag = |name: &str| {
        access
            .get_field_by_name(name)
            .and_then(|value| value.as_bool())
            .unwrap_or(false)
    };
    if flag("anonymous") || flag("system_tenant_only") {
        return Err(format!(
            "{} is served by the engine, which asks a scope only",
            method.full_name()
        ));
    }
    let scope = access
        .get_field_by_name("scope")
        .and_then(|value| value.as_str().map(str::to_owned));
    scope.filter(|scope| !scope.is_empty()).ok_or_else(missing)
}
