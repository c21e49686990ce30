//! One session in a small world, for as many steps as one likes: tabs, jars, a thief, lost answers, stores that lose
//! data or are away, rebuilds that race ends, step-ups. After every step the laws of rotation are held against it.
//!
//! `cargo test` takes 1,000,000 steps; `make model` takes millions. `ARGUS_MODEL_STEPS` says how many, `ARGUS_MODEL_SEED`
//! repeats a run. A broken law is shown with the shortest story that was found to break it.
#![expect(
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test, and its report"
)]

mod actions;
mod jobs;
mod laws;
mod owner;
mod random;
mod scene;
mod server;
mod stores;
mod traces;
mod world;

use std::collections::BTreeMap;
use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

use actions::{Action, Config};
use argus_core::rotation::Verdict;
use laws::Broken;
use random::Random;
use world::World;

const STEPS: u64 = 1_000_000;
/// Steps of one session.
const LIFE: usize = 150;
/// Fewest times that each row of the table and each loss must be met in a run of `STEPS`.
const ENOUGH: u64 = 50;
const LOSSES: [&str; 4] = ["Restart", "Promote", "Attach", "FlushAll"];

/// Walks through a list of actions; the counts, or the broken law with the number of actions up to it.
fn walk(config: Config, actions: &[Action]) -> Result<BTreeMap<String, u64>, (Broken, usize)> {
    let mut world = World::new(config, None);
    for (at, action) in actions.iter().enumerate() {
        world.apply(*action).map_err(|broken| (broken, at + 1))?;
    }
    Ok(world.counts)
}

/// The shortest list found that breaks the same law.
fn shrink(config: Config, actions: &[Action], law: &Broken) -> Vec<Action> {
    let mut shortest = actions.to_vec();
    let mut chunk = shortest.len() / 2;
    while chunk > 0 {
        let mut first = 0;
        while first < shortest.len() {
            let mut fewer = shortest.clone();
            fewer.drain(first..(first + chunk).min(shortest.len()));
            match walk(config, &fewer) {
                Err((broken, length)) if broken == *law => {
                    fewer.truncate(length);
                    shortest = fewer;
                }
                _ => first += chunk,
            }
        }
        chunk /= 2;
    }
    shortest
}

/// The story of a list of actions.
fn story(config: Config, actions: &[Action]) -> String {
    let mut world = World::new(config, Some(Vec::new()));
    for action in actions {
        if world.apply(*action).is_err() {
            break;
        }
    }
    world.story.unwrap_or_default().join("\n")
}

/// A number from the environment.
fn asked(name: &str) -> Option<u64> {
    env::var(name).ok()?.replace('_', "").parse().ok()
}

#[test]
fn the_laws_of_rotation_hold_in_any_order_of_events() {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seed = asked("ARGUS_MODEL_SEED").unwrap_or(u64::from(clock.subsec_nanos()));
    let steps = asked("ARGUS_MODEL_STEPS").unwrap_or(STEPS);
    let sessions = steps.div_ceil(LIFE as u64);
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for session in 0..sessions {
        let mut random = Random::new(seed ^ session.rotate_left(32));
        let config = Config::any(&mut random);
        let actions: Vec<Action> = (0..LIFE)
            .map(|_| Action::any(&mut random, config))
            .collect();
        match walk(config, &actions) {
            Ok(more) => more
                .into_iter()
                .for_each(|(name, count)| *counts.entry(name).or_default() += count),
            Err((broken, length)) => {
                let fewest = shrink(config, &actions[..length], &broken);
                panic!(
                    "seed {seed}, session {session}: {}\n{config:#?}\n{}\n",
                    broken.0,
                    story(config, &fewest)
                );
            }
        }
        report(session, sessions);
    }
    eprintln!("\nseed {seed}: {sessions} sessions of {LIFE} steps");
    for (name, count) in &counts {
        eprintln!("{count:>12}  {name}");
    }
    if steps >= STEPS {
        // Tokens of a new family are given out when Redis has it: a record that is behind is only ever met where
        // somebody has changed a store by hand.
        let verdicts = Verdict::ALL
            .into_iter()
            .filter(|verdict| *verdict != Verdict::NewerFamily)
            .map(|verdict| format!("{verdict:?}"));
        let losses = LOSSES.into_iter().map(|loss| format!("loss {loss}"));
        for name in verdicts.chain(losses).chain(["adopted".to_owned()]) {
            let count = counts.get(&name).copied().unwrap_or_default();
            assert!(count >= ENOUGH, "seed {seed}: {name} was met {count} times");
        }
    }
}

/// A bar, for those who wait.
fn report(session: u64, sessions: u64) {
    const WIDTH: u64 = 50;
    if env::var_os("ARGUS_MODEL_BAR").is_some() && (session * 1000) % sessions < 1000 {
        let done = (session + 1) * WIDTH / sessions;
        let bar: String = (0..WIDTH)
            .map(|at| if at < done { '█' } else { '·' })
            .collect();
        eprint!("\r{bar} {} of {sessions} sessions", session + 1);
    }
}
