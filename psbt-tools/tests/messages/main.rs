//! Messages: the vectors of BIP322, BIP137, hostile signatures, proofs of reserves.

mod bip137;
mod cli;
mod hostile;
mod partial;
mod properties;
mod reserves;
mod signer;
mod taproot;
mod vectors;
