//! What is done to a good token: each mutation knows where it strikes.

mod claims;
mod header;
mod text;

use fastrand::Rng;

use crate::draft::Draft;
use crate::world::World;

/// One kind of change; its name is told with the token.
struct Mutation {
    name: &'static str,
    apply: fn(&World, &mut Draft, &mut Rng),
}

const fn mutation(name: &'static str, apply: fn(&World, &mut Draft, &mut Rng)) -> Mutation {
    Mutation { name, apply }
}

/// Changes a token in none to three ways, and names them.
pub(crate) fn mutate(world: &World, draft: &mut Draft, random: &mut Rng) -> Vec<&'static str> {
    let kinds: Vec<&Mutation> = [&header::ALL[..], &claims::ALL, &text::ALL]
        .into_iter()
        .flatten()
        .collect();
    let times = [0, 1, 1, 1, 1, 1, 1, 2, 2, 3][random.usize(..10)];
    (0..times)
        .map(|_| {
            let mutation = kinds[random.usize(..kinds.len())];
            (mutation.apply)(world, draft, random);
            mutation.name
        })
        .collect()
}
