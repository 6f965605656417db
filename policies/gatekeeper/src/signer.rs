//! Signing with SSH keys through `ssh-keygen -Y sign`: a key file, an encrypted one, an agent, a FIDO token. No private
//! key is ever read here, and no signature leaves that does not verify.

use crate::Error;
use policies::identity::{Namespace, PublicKey, SshSig};
use psbt_tools::display::escape;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// OpenSSH's program.
const SSH_KEYGEN: &str = "ssh-keygen";

/// Longest public key file, in bytes.
const MAX_PUBLIC_LEN: u64 = 16 << 10;

/// A key that signs: where `ssh-keygen` finds it, and which public key must come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    path: PathBuf,
    public: PublicKey,
}

impl Signer {
    /// Finds the public key of a key: the file itself when it is a `.pub`, else the `.pub` beside it, else what
    /// `ssh-keygen -y` says, which may ask for the passphrase.
    ///
    /// # Errors
    /// [`Error::Signer`] when there is no such key or it is of another type than Ed25519.
    pub fn find(path: &Path) -> Result<Self, Error> {
        let name = escape(&path.to_string_lossy());
        if !path.exists() {
            return Err(Error::Signer {
                message: format!("there is no key at {name}"),
                hint: "name a private key, or the .pub file of a key that an ssh-agent holds".to_owned(),
            });
        }
        let beside = PathBuf::from(format!("{}.pub", path.display()));
        let line = if path.extension().is_some_and(|extension| extension == "pub") {
            public_line(path)?
        } else if beside.exists() {
            public_line(&beside)?
        } else {
            let path = path.as_os_str();
            let output = run(Command::new(SSH_KEYGEN).arg("-y").arg("-f").arg(path), b"")?;
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        let public = line.parse::<PublicKey>().map_err(|error| Error::Signer {
            message: format!("the key {name}: {error}"),
            hint: "make one with `ssh-keygen -t ed25519`, or `ssh-keygen -t ed25519-sk` on a FIDO token"
                .to_owned(),
        })?;
        Ok(Self { path: path.to_owned(), public })
    }

    /// A key whose public half is known.
    pub fn known(path: &Path, public: PublicKey) -> Self {
        Self { path: path.to_owned(), public }
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message, and verifies the signature.
    ///
    /// # Errors
    /// [`Error::Signer`] when `ssh-keygen` is missing, fails, or signs with another key.
    pub fn sign(&self, namespace: Namespace, message: &[u8]) -> Result<SshSig, Error> {
        let name = escape(&self.path.to_string_lossy());
        let mut command = Command::new(SSH_KEYGEN);
        command.args(["-Y", "sign", "-n", namespace.as_str(), "-f"]).arg(&self.path);
        let output = run(&mut command, message)?;
        if !output.status.success() {
            let reason = String::from_utf8_lossy(&output.stderr);
            return Err(Error::Signer {
                message: format!("the key {name} did not sign: {}", escape(reason.trim())),
                hint: "check that the key is there, its passphrase right, its token plugged in and touched, or its agent running"
                    .to_owned(),
            });
        }
        let wrong = |reason: String| Error::Signer {
            message: format!("the signature by the key {name} is not usable: {reason}"),
            hint: format!("the key must be {}", self.public.fingerprint()),
        };
        let armor = String::from_utf8_lossy(&output.stdout);
        let signature = SshSig::from_armor(&armor).map_err(|error| wrong(error.to_string()))?;
        let signer = signature.verify(namespace, message).map_err(|error| wrong(error.to_string()))?;
        if signer != self.public {
            return Err(wrong(format!("it is by {}", signer.fingerprint())));
        }
        Ok(signature)
    }
}

fn public_line(path: &Path) -> Result<String, Error> {
    let bytes = psbt_tools::files::read(path, MAX_PUBLIC_LEN)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Runs `ssh-keygen`; a passphrase is asked for on the terminal, never through us.
fn run(command: &mut Command, input: &[u8]) -> Result<Output, Error> {
    let failed = |error: std::io::Error| Error::Signer {
        message: format!("cannot run {SSH_KEYGEN}: {error}"),
        hint: "install OpenSSH's client programs (package openssh-client)".to_owned(),
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    feed(&mut child, input);
    child.wait_with_output().map_err(failed)
}

/// Gives the message. A program that ends without reading it says why on its standard error.
fn feed(child: &mut Child, input: &[u8]) {
    if let Some(mut stdin) = child.stdin.take() {
        let _ = stdin.write_all(input);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fresh key; `None`, said aloud, where OpenSSH is not installed.
    fn fresh(folder: &Path, name: &str, kind: &str) -> Option<PathBuf> {
        let path = folder.join(name);
        let made = Command::new(SSH_KEYGEN)
            .args(["-q", "-t", kind, "-N", "", "-C", "test", "-f"])
            .arg(&path)
            .status();
        match made {
            Ok(status) if status.success() => Some(path),
            _ => {
                eprintln!("skipped: {SSH_KEYGEN} is not installed");
                None
            }
        }
    }

    #[test]
    fn a_signature_verifies_in_its_namespace_only() {
        let folder = tempfile::tempdir().unwrap();
        let Some(path) = fresh(folder.path(), "key", "ed25519") else { return };
        let signer = Signer::find(&path).unwrap();
        let signature = signer.sign(Namespace::Permit, b"message").unwrap();
        assert_eq!(signature.verify(Namespace::Permit, b"message").as_ref(), Ok(signer.public()));
        assert!(signature.verify(Namespace::Request, b"message").is_err());
        // Without the .pub file the public key comes from the private one.
        std::fs::remove_file(folder.path().join("key.pub")).unwrap();
        assert_eq!(Signer::find(&path).unwrap(), signer);
    }

    #[test]
    fn a_missing_foreign_or_unsuitable_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let Some(path) = fresh(folder.path(), "key", "ed25519") else { return };
        let Some(other) = fresh(folder.path(), "other", "ed25519") else { return };
        let Some(ecdsa) = fresh(folder.path(), "ecdsa", "ecdsa") else { return };
        let public = Signer::find(&path).unwrap().public().clone();
        let message = |result: Result<SshSig, Error>| result.unwrap_err().to_string();
        assert!(
            message(Signer::known(&other, public.clone()).sign(Namespace::Permit, b"m")).contains("it is by")
        );
        assert!(
            message(Signer::known(Path::new("/nowhere"), public).sign(Namespace::Permit, b"m"))
                .contains("did not sign")
        );
        assert!(Signer::find(&ecdsa).unwrap_err().to_string().contains("ecdsa-sha2-nistp256"));
        assert!(Signer::find(Path::new("/nowhere")).unwrap_err().to_string().contains("no key"));
    }
}
