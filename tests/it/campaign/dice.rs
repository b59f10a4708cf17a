//! Where all chance of a scenario comes from: the same seed throws the same.

use fastrand::Rng;

#[derive(Debug)]
pub struct Dice(Rng);

impl Dice {
    pub fn of(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    /// Whether something happens that does in so many of a hundred cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.0.usize(..100) < percent
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end)
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.0.usize(..among.len())]
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        self.0.shuffle(items);
    }

    pub fn guid(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.0.u128(..).to_be_bytes()).into_uuid().to_string()
    }

    pub fn number(&mut self) -> u64 {
        self.0.u64(..)
    }
}
