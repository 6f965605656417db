//! The one source of randomness: getrandom(2), failing closed.

use rustix::rand::{GetRandomFlags, getrandom};

use crate::Error;

/// Fills `out` from getrandom(2), waiting for the kernel's pool if need be.
///
/// # Errors
/// [`Error::Randomness`] when the kernel refuses or answers nothing; there is no fallback.
pub fn fill(out: &mut [u8]) -> Result<(), Error> {
    let mut rest = out;
    while !rest.is_empty() {
        let got = match getrandom(&mut *rest, GetRandomFlags::empty()) {
            Ok(0) => return Err(Error::Randomness(rustix::io::Errno::IO)),
            Ok(got) => got,
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => return Err(Error::Randomness(errno)),
        };
        rest = rest.get_mut(got..).unwrap_or_default();
    }
    Ok(())
}

/// A public random array (salt, nonce). Secrets are drawn into [`crate::secret::Secret`] instead.
///
/// # Errors
/// As [`fill`].
pub fn array<const N: usize>() -> Result<[u8; N], Error> {
    let mut out = [0; N];
    fill(&mut out)?;
    Ok(out)
}
