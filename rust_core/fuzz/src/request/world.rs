//! The engine behind the requests, and tokens that it takes for good or must refuse.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use argus_engine::Engine;
use argus_engine::proto::access::HOT_METHODS;
use argus_samples::offline::{Offline, Tokens};
use argus_samples::{OTHER_TENANT, TENANT};

/// Tokens are made anew so often: they live for minutes, fuzzing goes on for hours.
const FRESH: Duration = Duration::from_secs(60);

/// Whose tokens are put in a place that is marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// The caller's tenant's.
    Own,
    /// Another tenant's.
    Others,
    /// The caller's tenant's, under keys that were pulled.
    Pulled,
    /// Another tenant's, with a client's token in the place of a session's access token: no session has to fit.
    OthersClients,
}

impl Whose {
    pub(super) const ALL: [Self; 4] = [Self::Own, Self::Others, Self::Pulled, Self::OthersClients];

    /// The tenant, where such a token lets its bearer in.
    pub(super) const fn tenant_id(self) -> Option<&'static str> {
        match self {
            Self::Own => Some(TENANT),
            Self::Others | Self::OthersClients => Some(OTHER_TENANT),
            Self::Pulled => None,
        }
    }

    /// The text that such a token is put in the place of.
    pub(super) const fn mark(self) -> &'static str {
        match self {
            Self::Own => "@",
            Self::Others => "!",
            Self::Pulled => "~",
            Self::OthersClients => "#",
        }
    }
}

/// Tokens of everybody.
pub(super) struct Purse([Tokens; 4]);

impl Purse {
    pub(super) fn of(&self, whose: Whose) -> &Tokens {
        &self.0[whose as usize]
    }

    /// All of them.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.0
            .iter()
            .flat_map(|tokens| [&tokens.access, &tokens.refresh, &tokens.client])
    }
}

/// The engine, and the tokens of this minute.
pub(super) struct World {
    offline: Offline,
    before_the_pull: Offline,
    purse: Mutex<Option<(Instant, Arc<Purse>)>>,
}

/// The one of this process.
pub(super) static WORLD: LazyLock<World> = LazyLock::new(|| World {
    offline: Offline::open(),
    before_the_pull: Offline::before_the_pull(),
    purse: Mutex::new(None),
});

/// Its engine.
pub(super) fn engine() -> &'static Engine {
    &WORLD.offline.engine
}

impl World {
    /// Tokens that were made just now.
    pub(super) fn purse(&self) -> Arc<Purse> {
        let mut kept = self.purse.lock().unwrap();
        if let Some((made, purse)) = kept.as_ref()
            && made.elapsed() < FRESH
        {
            return Arc::clone(purse);
        }
        let purse = Arc::new(Purse(Whose::ALL.map(|whose| match whose {
            Whose::Own => self.offline.tokens(TENANT),
            Whose::Others => self.offline.tokens(OTHER_TENANT),
            Whose::Pulled => self.before_the_pull.tokens(TENANT),
            Whose::OthersClients => {
                let tokens = self.offline.tokens(OTHER_TENANT);
                Tokens {
                    access: tokens.client.clone(),
                    ..tokens
                }
            }
        })));
        *kept = Some((Instant::now(), Arc::clone(&purse)));
        purse
    }

    /// Who calls with this metadata `authorization`.
    pub(super) fn caller(&self, authorization: &str) -> (u8, Vec<u8>) {
        self.offline.caller("tokens.verify", authorization)
    }

    /// Answers a call of the client.
    pub(super) fn answer(&self, path: &str, request: &[u8], purse: &Purse) -> (u8, Vec<u8>) {
        assert!(HOT_METHODS.iter().any(|method| method.path == path));
        let authorization = format!("Bearer {}", purse.of(Whose::Own).client);
        self.offline.answer(path, request, &authorization)
    }
}
