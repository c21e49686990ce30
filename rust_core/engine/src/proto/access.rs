// Generated from proto/ by `make generate`; changes here are lost.

use super::HotMethod;

/// `VerifyAccessToken`.
pub const VERIFY_ACCESS_TOKEN: HotMethod = HotMethod {
    name: "VerifyAccessToken",
    path: "/argus.v1.TokenService/VerifyAccessToken",
    scope: "tokens.verify",
};
/// `BatchVerifyAccessTokens`.
pub const BATCH_VERIFY_ACCESS_TOKENS: HotMethod = HotMethod {
    name: "BatchVerifyAccessTokens",
    path: "/argus.v1.TokenService/BatchVerifyAccessTokens",
    scope: "tokens.verify",
};
/// `RefreshToken`.
pub const REFRESH_TOKEN: HotMethod = HotMethod {
    name: "RefreshToken",
    path: "/argus.v1.TokenService/RefreshToken",
    scope: "tokens.refresh",
};
/// `IntrospectToken`.
pub const INTROSPECT_TOKEN: HotMethod = HotMethod {
    name: "IntrospectToken",
    path: "/argus.v1.TokenService/IntrospectToken",
    scope: "tokens.introspect",
};

/// All of them.
pub const HOT_METHODS: [HotMethod; 4] = [VERIFY_ACCESS_TOKEN, BATCH_VERIFY_ACCESS_TOKENS, REFRESH_TOKEN, INTROSPECT_TOKEN];
