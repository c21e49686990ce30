//! Tokens in the marked places of a request, and what must become of it then.

use argus_engine::proto::v1::{
    BatchVerifyAccessTokensRequest, IntrospectTokenRequest, RefreshTokenRequest,
    VerifyAccessTokenRequest,
};
use argus_samples::RESOURCE;
use argus_samples::offline::Tokens;
use prost::Message;

use super::world::{Purse, Whose};

/// What must become of a token in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Nothing but the state of the session is left to be looked at: the outage of Redis is the only true answer.
    Outage,
    /// It is refused for what it is, whatever Redis would say.
    Refusal,
    /// It is refused, and its user must prove itself again.
    StepUp,
    /// Nothing is said of it.
    Anything,
}

/// A request that tokens can be put into.
pub(super) trait Fill: Message + Default + PartialEq + Clone + std::fmt::Debug {
    /// Puts tokens in the marked places; says what must become of each token.
    fn fill(&mut self, purse: &Purse) -> Vec<Awaited>;
}

impl Fill for VerifyAccessTokenRequest {
    fn fill(&mut self, purse: &Purse) -> Vec<Awaited> {
        let is_plain =
            self.proof.is_none() && (self.resource.is_empty() || self.resource == RESOURCE);
        let whose = put(&mut self.access_token, purse, |tokens| &tokens.access);
        vec![awaited(whose, is_plain, Awaited::Refusal)]
    }
}

impl Fill for BatchVerifyAccessTokensRequest {
    fn fill(&mut self, purse: &Purse) -> Vec<Awaited> {
        let requests = self.requests.iter_mut();
        requests.flat_map(|request| request.fill(purse)).collect()
    }
}

impl Fill for RefreshTokenRequest {
    fn fill(&mut self, purse: &Purse) -> Vec<Awaited> {
        let is_plain = self.proof.is_none() && self.scope.is_empty() && self.resource.is_empty();
        let whose = put(&mut self.refresh_token, purse, |tokens| &tokens.refresh);
        vec![awaited(whose, is_plain, Awaited::StepUp)]
    }
}

impl Fill for IntrospectTokenRequest {
    fn fill(&mut self, purse: &Purse) -> Vec<Awaited> {
        let whose = put(&mut self.token, purse, |tokens| &tokens.access);
        vec![awaited(whose, true, Awaited::Refusal)]
    }
}

/// What must become of a token; of one under a pulled key, the request says it.
fn awaited(whose: Option<Whose>, is_plain: bool, of_pulled: Awaited) -> Awaited {
    match whose {
        Some(Whose::Own) if is_plain => Awaited::Outage,
        Some(Whose::Others | Whose::OthersClients) => Awaited::Refusal,
        Some(Whose::Pulled) => of_pulled,
        Some(Whose::Own) | None => Awaited::Anything,
    }
}

fn put(place: &mut String, purse: &Purse, which: fn(&Tokens) -> &String) -> Option<Whose> {
    let whose = Whose::ALL
        .into_iter()
        .find(|whose| whose.mark() == place.as_str())?;
    place.clone_from(which(purse.of(whose)));
    Some(whose)
}
