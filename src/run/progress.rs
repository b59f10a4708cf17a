//! Progress of a run.

use std::cell::Cell;

/// Number of tenants of a run, by how far they are.
#[derive(Debug, Default)]
pub struct Progress {
    tenants: Cell<usize>,
    done: Cell<usize>,
    in_flight: Cell<usize>,
}

impl Progress {
    /// Starts counting from 0 of `tenants`.
    pub(super) fn start(&self, tenants: usize) {
        self.tenants.set(tenants);
        self.done.set(0);
    }

    /// Runs `work` and returns its result. Counts one tenant as in flight meanwhile, and as done afterwards.
    pub(super) async fn count_while<T>(&self, work: impl Future<Output = T>) -> T {
        self.in_flight.update(|number| number.saturating_add(1));
        let in_flight = InFlight(&self.in_flight);
        let done = work.await;
        drop(in_flight);
        self.done.update(|number| number.saturating_add(1));
        done
    }

    /// Returns the number of all tenants.
    pub fn tenants(&self) -> usize {
        self.tenants.get()
    }

    /// Returns the number of tenants that are done.
    pub fn done(&self) -> usize {
        self.done.get()
    }

    /// Returns the number of tenants that are being processed.
    pub fn in_flight(&self) -> usize {
        self.in_flight.get()
    }
}

/// Tenant in flight, until it is dropped: interrupted work is dropped without an end.
struct InFlight<'a>(&'a Cell<usize>);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.update(|number| number.saturating_sub(1));
    }
}
