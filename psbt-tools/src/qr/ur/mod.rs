//! Uniform resources, version 2: bytewords (BCR-2020-012), the text form (BCR-2020-005), fountain codes
//! (BCR-2024-001) and the types of content that wallets use (BCR-2020-006).

mod bits;
mod bytewords;
mod cbor;
mod content;
mod degree;
mod encoder;
mod equations;
mod fountain;
mod frame;
mod joiner;
mod keys;
mod output;
mod part;
mod sequence;
mod xoshiro;

pub(super) use content::{Type, read};
pub(super) use encoder::Encoder;
pub(super) use frame::{Frame, parse};
pub(super) use joiner::{Header, Joiner};
pub(super) use part::Part;

#[cfg(test)]
mod official_descriptors;
#[cfg(test)]
mod vectors;
