//! A vault without a console: messages go straight to it, as a lying reader or console would send them.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;
use std::process::{Child, Command};

use cold_wire::{Fault, PROTOCOL, Reply, ReplyBody, Request, RequestBody, read_frame, write_frame};
use policies::codec::Canonical;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

use crate::programs::program;

/// The passphrase of every store of these tests.
pub const PASSPHRASE: &[u8] = b"correct horse battery staple\n";

/// A running `cold-vault one-shot`.
pub struct Vault {
    socket: std::fs::File,
    child: Child,
    id: u64,
}

impl Vault {
    /// Starts one for a store, which it makes when there is none.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(store: &Path) -> Self {
        Self::start_below(store, |vault| vault).expect("the vault says Hello")
    }

    /// Starts one below another program, such as a tracer; `None` when it ends before it says Hello.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start_below(store: &Path, wrap: impl FnOnce(Vec<String>) -> Vec<String>) -> Option<Self> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        let passphrase = passphrase_file();
        let words = [
            program("cold-vault").display().to_string(),
            "one-shot".to_owned(),
            "--store".to_owned(),
            store.display().to_string(),
            "--socket-fd".to_owned(),
            theirs.as_raw_fd().to_string(),
            "--passphrase-fd".to_owned(),
            passphrase.as_raw_fd().to_string(),
            "--create".to_owned(),
            "--kdf-floor".to_owned(),
            "--allow-network".to_owned(),
        ];
        let words = wrap(words.to_vec());
        for inherited in [theirs.as_fd(), passphrase.as_fd()] {
            fcntl_setfd(inherited, FdFlags::empty()).unwrap();
        }
        let child = Command::new(&words[0]).args(&words[1..]).spawn().unwrap();
        let mut vault = Self { socket: ours.into(), child, id: 0 };
        drop((theirs, passphrase));
        match vault.call(RequestBody::Hello { protocol: PROTOCOL }) {
            Some(ReplyBody::Hello { .. }) => Some(vault),
            None => None,
            other => panic!("no Hello: {other:?}"),
        }
    }

    /// Sends a request and waits for its reply; `None` when the vault closed the connection or died.
    pub fn call(&mut self, body: RequestBody) -> Option<ReplyBody> {
        self.id += 1;
        let request = Request { id: self.id, deadline: 0, body };
        write_frame(&mut self.socket, &request.to_bytes()).ok()?;
        let frame = read_frame(&mut self.socket).ok()?;
        let reply = Reply::from_bytes(&frame).expect("the vault speaks the protocol");
        assert_eq!(reply.id, self.id);
        Some(reply.body)
    }

    /// Sends raw bytes as one frame; `None` when nothing comes back.
    pub fn raw(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        write_frame(&mut self.socket, frame).ok()?;
        read_frame(&mut self.socket).ok()
    }

    /// The fault that a request must end with.
    ///
    /// # Panics
    /// When the vault did as it was asked.
    pub fn refused(&mut self, body: RequestBody) -> Fault {
        match self.call(body) {
            Some(ReplyBody::Fault(fault)) => fault,
            other => panic!("expected a refusal, got {other:?}"),
        }
    }

    /// Closes the connection and waits for the vault's end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    pub fn end(mut self) -> std::process::ExitStatus {
        self.close()
    }

    fn close(&mut self) -> std::process::ExitStatus {
        rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both).ok();
        self.child.wait().expect("the vault ends")
    }
}

impl Drop for Vault {
    /// A store is free for the next vault only when this one is gone.
    fn drop(&mut self) {
        self.close();
    }
}

/// An unlinked file that holds the passphrase, read from its beginning.
fn passphrase_file() -> OwnedFd {
    use std::io::{Seek, Write};
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(PASSPHRASE).unwrap();
    file.rewind().unwrap();
    file.into()
}
