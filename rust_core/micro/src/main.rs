//! Does every work ten times, for a program that counts instructions (`make instructions`); prints the names in order.

use argus_micro::{Work, works};

/// How often each work is done.
const TIMES: usize = 10;

fn main() {
    for work in works() {
        // Once before: what is only done the first time is no part of the count.
        (work.once)();
        counted_work(&work);
        counted_end();
        println!("{}", work.name);
    }
}

/// The counter begins where this is entered; it knows it by name.
#[inline(never)]
fn counted_work(work: &Work) {
    for _ in 0..TIMES {
        (work.once)();
    }
}

/// It ends where this is entered.
#[inline(never)]
fn counted_end() {
    std::hint::black_box(());
}
