//! A PSBT of one version written in the other.

use crate::{Error, manifest, strict};

/// The binary PSBT in version 0 (BIP174). One of version 0 is given back byte for byte. Of version 2 every field that
/// both versions have is taken over as it is; there is no place for fallback and required locktimes, but for the
/// locktime that they make, and for what may still be added. The manifest, which is about the file as it was, is left out.
///
/// # Errors
/// Those of [`strict::parse`].
pub fn to_version_0(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut psbt, form) = strict::read(bytes)?;
    if form.version() == 0 {
        return Ok(bytes.to_vec());
    }
    manifest::remove(&mut psbt);
    Ok(form.to_version_0().serialize(&psbt))
}

/// The binary PSBT in version 2 (BIP370). One of version 2 is given back byte for byte; of version 0 every field is taken
/// over as it is, but for the manifest.
///
/// # Errors
/// Those of [`strict::parse`]; [`Error::NotWritten`] for a transaction of version 1 or less.
pub fn to_version_2(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let (mut psbt, form) = strict::read(bytes)?;
    if form.version() == 2 {
        return Ok(bytes.to_vec());
    }
    manifest::remove(&mut psbt);
    let bytes = form.to_version_2(&psbt)?.serialize(&psbt);
    // A map that is full already has no room for the fields of version 2.
    strict::parse(&bytes).map(|_| bytes)
}
