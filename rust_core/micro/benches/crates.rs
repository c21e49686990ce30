//! Every work by the clock.

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for work in argus_micro::works() {
        criterion.bench_function(work.name, |bencher| bencher.iter(|| (work.once)()));
    }
    criterion.final_summary();
}
