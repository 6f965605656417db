//! Making a new store: whole under a temporary name, durable, then renamed without replacing anything.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, fsync, open, openat, renameat_with, unlinkat};
use rustix::io::Errno;

use super::{AUDIT_KEY_LEN, Content, STORE_FORMAT, build};
use crate::passphrase::Passphrase;
use crate::record::Kind;
use crate::seal::{DataKey, KEYSLOT_LEN, KdfCost};
use crate::secret::Secret;
use crate::{Error, random};

/// Writes a store with a new data key, a new audit key and one keyslot. Never overwrites.
///
/// Must run before the sandbox: it creates and renames a file.
///
/// # Errors
/// [`Error::Exists`]; [`Error::Kdf`], [`Error::KdfRange`], [`Error::Randomness`]; [`Error::System`] when
/// the directory cannot be written.
pub(super) fn create(path: &Path, passphrase: &Passphrase, cost: KdfCost, time: u64) -> Result<(), Error> {
    if rustix::fs::statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).is_ok() {
        return Err(Error::Exists(path.to_owned()));
    }
    let bytes = first_records(passphrase, cost, time)?;
    write_new(path, &bytes)
}

fn first_records(passphrase: &Passphrase, cost: KdfCost, time: u64) -> Result<Vec<u8>, Error> {
    let key = DataKey::generate()?;
    let audit = Secret::random(AUDIT_KEY_LEN)?;
    let seed = audit.expose().try_into().map_err(|_| Error::Randomness(Errno::IO))?;
    let public = SigningKey::from_bytes(seed).verifying_key().to_bytes();
    let clear = [&STORE_FORMAT.to_be_bytes()[..], &public].concat();
    let content = Content { kind: Kind::Genesis, clear: &clear, sealed: Some(audit.expose()) };
    let genesis = build(&key, 0, [0; 32], time, &content)?;
    // The keyslot's own header is bound into its wrapping, so the header comes first.
    let blank = [0; KEYSLOT_LEN];
    let content = Content { kind: Kind::Keyslot, clear: &blank, sealed: None };
    let place = content.header(1, genesis.hash(), time)?;
    let slot = key.wrap(&place, passphrase, cost)?;
    let content = Content { kind: Kind::Keyslot, clear: &slot, sealed: None };
    let keyslot = build(&key, 1, genesis.hash(), time, &content)?;
    Ok([genesis.encode(), keyslot.encode()].concat())
}

fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = Error::system;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let name = path.file_name().ok_or_else(|| Error::BadFile("the path names no file".to_owned()))?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = open(directory, flags, Mode::empty())
        .map_err(|errno| Error::OpenStore { path: path.to_owned(), errno })?;
    let temporary = temporary_name(name)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = openat(&directory, &temporary, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|errno| Error::OpenStore { path: path.to_owned(), errno })?;
    let written = (|| {
        let mut rest = bytes;
        while !rest.is_empty() {
            let written = rustix::io::write(&file, rest).map_err(failed("writing the new store"))?;
            rest = rest.get(written..).unwrap_or_default();
        }
        fsync(&file).map_err(failed("syncing the new store"))?;
        renameat_with(&directory, &temporary, &directory, name, RenameFlags::NOREPLACE).map_err(|errno| {
            match errno {
                Errno::EXIST => Error::Exists(path.to_owned()),
                errno => Error::System { action: "naming the new store", errno },
            }
        })
    })();
    if let Err(error) = written {
        // The half-made file holds nothing that anyone relies on yet.
        let _ = unlinkat(&directory, &temporary, AtFlags::empty());
        return Err(error);
    }
    fsync(&directory).map_err(failed("syncing the directory"))
}

fn temporary_name(name: &std::ffi::OsStr) -> Result<PathBuf, Error> {
    let tag = u64::from_be_bytes(random::array()?);
    let mut temporary = OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{tag:016x}.new"));
    Ok(temporary.into())
}
