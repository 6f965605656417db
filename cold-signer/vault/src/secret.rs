//! Containers for secret bytes.

use zeroize::Zeroize;

use crate::sys::LockedPages;
use crate::{Error, random};

/// Secret bytes of a fixed length in locked, undumped, guarded memory that is wiped on drop.
///
/// Deliberately without `Copy`, `Clone`, `Debug`, `PartialEq`: a secret is not printed, not duplicated,
/// and compared only in constant time.
pub struct Secret(LockedPages);

impl Secret {
    /// `len` zero bytes, to be filled through [`Secret::expose_mut`].
    ///
    /// # Errors
    /// [`Error::System`] when memory cannot be mapped or locked.
    pub fn zeroed(len: usize) -> Result<Self, Error> {
        LockedPages::new(len).map(Self)
    }

    /// `len` bytes from getrandom(2).
    ///
    /// # Errors
    /// As [`Secret::zeroed`], and [`Error::Randomness`].
    pub fn random(len: usize) -> Result<Self, Error> {
        let mut secret = Self::zeroed(len)?;
        random::fill(secret.expose_mut())?;
        Ok(secret)
    }

    /// Moves bytes in: the source is wiped.
    ///
    /// # Errors
    /// As [`Secret::zeroed`]; the source is wiped even then.
    pub fn take(source: &mut [u8]) -> Result<Self, Error> {
        let secret = Self::zeroed(source.len()).map(|mut secret| {
            secret.expose_mut().copy_from_slice(source);
            secret
        });
        source.zeroize();
        secret
    }

    /// The bytes. Keep the borrow short and copy nothing out of it.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.bytes()
    }

    /// The bytes, for filling.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        self.0.bytes_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_of_a_taken_secret_is_wiped() {
        let mut source = *b"hunter2";
        let secret = Secret::take(&mut source).unwrap();
        assert_eq!(secret.expose(), b"hunter2");
        assert_eq!(source, [0; 7]);
    }

    #[test]
    fn secret_memory_is_locked_and_left_out_of_dumps() {
        let secret = Secret::zeroed(100).unwrap();
        let address = secret.expose().as_ptr() as u64;
        let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut inside = false;
        for line in smaps.lines() {
            let range = line.split(' ').next().unwrap().split_once('-');
            if let Some((Ok(low), Ok(high))) =
                range.map(|(l, h)| (u64::from_str_radix(l, 16), u64::from_str_radix(h, 16)))
            {
                inside = (low..high).contains(&address);
            }
            if inside && line.starts_with("VmFlags:") {
                // proc(5): lo locked, dd do not dump, wf wipe on fork.
                for flag in [" lo", " dd", " wf"] {
                    assert!(line.contains(flag), "{line}");
                }
                return;
            }
        }
        panic!("mapping not found");
    }
}
