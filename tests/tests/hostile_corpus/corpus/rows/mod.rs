//! The rows, by what they lie about.

pub mod coins;
pub mod format;
pub mod numbers;
pub mod ownership;
pub mod signatures;
pub mod swapped;
pub mod taproot;
pub mod time;

use super::row::{Fixture, fixtures};

/// Every fixture, in the order of the files.
pub fn all() -> Vec<Fixture> {
    [
        coins::ROWS,
        ownership::ROWS,
        signatures::ROWS,
        numbers::ROWS,
        time::ROWS,
        format::ROWS,
        taproot::ROWS,
        swapped::ROWS,
    ]
    .into_iter()
    .flat_map(fixtures)
    .collect()
}
