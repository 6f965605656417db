//! The vault as the console sees it: a child on a socketpair that answers typed questions.

use crate::keeper::Keeper;
use crate::terminal::Before;
use crate::{Error, Result, passphrase_file};
use cold_wire::{
    Bundle, FaultKind, FrameError, KeyInfo, MessageReview, NewKey, PROTOCOL, RegisterWallet, Reply,
    ReplyBody, Request, RequestBody, Review, SignMessage, Signed, VaultStatus, read_frame, write_frame,
};
use policies::check::Check;
use policies::codec::Canonical;
use policies::id::{AuthorityId, SpendId, VaultId};
use policies::identity::PublicKey;
use policies::permit::Receipt;
use rustix::io::{FdFlags, fcntl_setfd};
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// After so many seconds without an answer the vault signs nothing any more.
const SIGN_WITHIN: u64 = 600;

/// How long the vault may take to end once its socket is closed.
const FAREWELL: Duration = Duration::from_secs(2);

/// Where the passphrase comes from. The console opens and passes it; it never reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passphrase {
    /// The vault asks at its own terminal.
    Terminal,
    /// First line of this file.
    File(PathBuf),
    /// First line of this descriptor, which the console inherited.
    Descriptor(RawFd),
}

/// How to start a vault.
#[derive(Debug, Clone)]
pub struct Launch {
    /// The program `cold-vault`.
    pub program: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// Its passphrase.
    pub passphrase: Passphrase,
    /// Create the store when it is missing.
    pub create: bool,
    /// Argon2id at its floor, for a store that is created.
    pub kdf_floor: bool,
    /// Run on a machine with a live network.
    pub allow_network: bool,
    /// Make keys without showing their words (test networks).
    pub words_unseen: bool,
    /// Who keeps the vault for the next command, in a visit of several.
    pub keeper: Option<Keeper>,
}

impl Launch {
    /// Whether a vault that was started so may answer what is meant for that one. How a store is made does not matter
    /// any more: it is there.
    pub(crate) fn serves(&self, wanted: &Launch) -> bool {
        self.program == wanted.program
            && self.store == wanted.store
            && self.passphrase == wanted.passphrase
            && self.allow_network == wanted.allow_network
            && self.words_unseen == wanted.words_unseen
    }
}

/// A running vault. When this is dropped it goes back to its keeper, or its socket is closed and it ends.
#[derive(Debug)]
pub struct Vault {
    link: Option<Link>,
    home: Option<(Keeper, Launch)>,
    /// Whether the next command may have it: nothing went wrong between it and us.
    sound: bool,
}

/// The child and its socket, which is closed when this is dropped.
#[derive(Debug)]
pub(crate) struct Link {
    child: Child,
    socket: UnixStream,
    last: u64,
    before: Option<Before>,
}

/// What `List` gives.
#[derive(Debug, Clone)]
pub struct Keys {
    /// The store's vault.
    pub vault: VaultId,
    /// Its audit key.
    pub audit_key: PublicKey,
    /// Its keys.
    pub keys: Vec<KeyInfo>,
}

impl Keys {
    /// The key of this name.
    ///
    /// # Errors
    /// [`Error::UnknownWallet`].
    pub fn named(&self, wallet: &str) -> Result<&KeyInfo> {
        self.keys
            .iter()
            .find(|key| key.wallet == wallet)
            .ok_or_else(|| Error::UnknownWallet(wallet.to_owned()))
    }
}

impl Vault {
    /// Starts it and says hello, or takes the one that the keeper has.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::Input`] for the passphrase's file, and what the vault says: a live network, no store.
    pub fn spawn(launch: &Launch) -> Result<Self> {
        let bare = || Launch { keeper: None, ..launch.clone() };
        let home = launch.keeper.clone().map(|keeper| (keeper, bare()));
        if let Some(link) = launch.keeper.as_ref().and_then(|keeper| keeper.take(launch)) {
            return Ok(Self { link: Some(link), home, sound: true });
        }
        let fault = |source| Error::Start { program: launch.program.clone(), source };
        let mut command = Command::new(&launch.program);
        command.arg("one-shot").arg("--store").arg(&launch.store);
        for (flag, given) in [
            ("--create", launch.create),
            ("--kdf-floor", launch.kdf_floor),
            ("--allow-network", launch.allow_network),
            ("--words-unseen", launch.words_unseen),
        ] {
            if given {
                command.arg(flag);
            }
        }
        command.stdin(Stdio::null()).stdout(Stdio::null());
        // Before a descriptor of our own could take a number that is only claimed to be open.
        let mut passed: Vec<OwnedFd> = Vec::new();
        match &launch.passphrase {
            Passphrase::Terminal => {}
            Passphrase::File(path) => {
                let file = passphrase_file::open(path)?;
                command.arg("--passphrase-fd").arg(file.as_raw_fd().to_string());
                passed.push(file);
            }
            Passphrase::Descriptor(number) => {
                inherited(*number)?;
                if *number == 0 {
                    command.stdin(Stdio::inherit());
                }
                command.arg("--passphrase-fd").arg(number.to_string());
            }
        }
        let (socket, other) = UnixStream::pair().map_err(fault)?;
        command.arg("--socket-fd").arg(other.as_raw_fd().to_string());
        passed.push(OwnedFd::from(other));
        let before = Before::of();
        let child = spawn_passing(&mut command, &passed).map_err(fault)?;
        drop(passed);
        let link = Link { child, socket, last: 0, before };
        let mut vault = Self { link: Some(link), home, sound: false };
        match vault.call(RequestBody::Hello { protocol: PROTOCOL }, 0)? {
            ReplyBody::Hello { protocol: PROTOCOL, .. } => {
                vault.sound = true;
                Ok(vault)
            }
            ReplyBody::Hello { protocol, .. } => Err(Error::VaultNonsense(format!(
                "it speaks version {protocol} of the protocol, not {PROTOCOL}"
            ))),
            other => Err(unexpected(&other)),
        }
    }

    /// Makes a key.
    ///
    /// # Errors
    /// What the vault says.
    pub fn new_key(&mut self, key: NewKey) -> Result<KeyInfo> {
        match self.call(RequestBody::NewKey(key), 0)? {
            ReplyBody::Key(key) => Ok(key),
            other => Err(unexpected(&other)),
        }
    }

    /// What registering a wallet comes to; with consent it is registered.
    ///
    /// # Errors
    /// What the vault says.
    pub fn register(&mut self, wallet: RegisterWallet) -> Result<KeyInfo> {
        match self.call(RequestBody::RegisterWallet(wallet), 0)? {
            ReplyBody::Key(key) => Ok(key),
            other => Err(unexpected(&other)),
        }
    }

    /// The vault's keys; unlocks it.
    ///
    /// # Errors
    /// What the vault says, e.g. of the passphrase.
    pub fn keys(&mut self) -> Result<Keys> {
        match self.call(RequestBody::List, 0)? {
            ReplyBody::Keys { vault, audit_key, keys } => {
                if let Some((keeper, _)) = &self.home {
                    keeper.learn(keys.iter().map(|key| key.wallet.clone()).collect());
                }
                Ok(Keys { vault, audit_key, keys })
            }
            other => Err(unexpected(&other)),
        }
    }

    /// What holds the vault, and what protects it.
    ///
    /// # Errors
    /// What the vault says.
    pub fn status(&mut self) -> Result<VaultStatus> {
        match self.call(RequestBody::Status, 0)? {
            ReplyBody::Status(status) => Ok(status),
            other => Err(unexpected(&other)),
        }
    }

    /// Pins an authority for keys to come: bytes of a `policies::authority::SignedAuthority`.
    ///
    /// # Errors
    /// What the vault says.
    pub fn pin(&mut self, authority: Vec<u8>) -> Result<(AuthorityId, String)> {
        match self.call(RequestBody::PinAuthority(authority), 0)? {
            ReplyBody::Pinned { authority, company } => Ok((authority, company)),
            other => Err(unexpected(&other)),
        }
    }

    /// What signing would come to.
    ///
    /// # Errors
    /// What the vault says.
    pub fn review(&mut self, bundle: Bundle) -> Result<Review> {
        match self.call(RequestBody::Review(bundle), 0)? {
            ReplyBody::Review(review) => Ok(*review),
            other => Err(unexpected(&other)),
        }
    }

    /// Signs the spend that was consented to.
    ///
    /// # Errors
    /// What the vault says.
    pub fn sign(&mut self, bundle: Bundle, consent: SpendId, accepted: Vec<Check>) -> Result<Signed> {
        let deadline = now().saturating_add(SIGN_WITHIN);
        match self.call(RequestBody::Sign { bundle, consent, accepted }, deadline)? {
            ReplyBody::Signed(signed) => Ok(signed),
            other => Err(unexpected(&other)),
        }
    }

    /// What signing a message comes to; with consent it is signed.
    ///
    /// # Errors
    /// What the vault says, and [`Error::VaultNonsense`] where that is about another message.
    pub fn sign_message(&mut self, message: SignMessage) -> Result<MessageReview> {
        let (id, wanted) = (message.terms.id(), message.consent.is_some());
        let deadline = if wanted { now().saturating_add(SIGN_WITHIN) } else { 0 };
        match self.call(RequestBody::SignMessage(message), deadline)? {
            ReplyBody::Message(review) if review.id == id && review.signed.is_some() == wanted => Ok(*review),
            other => Err(unexpected(&other)),
        }
    }

    /// Every receipt so far.
    ///
    /// # Errors
    /// What the vault says.
    pub fn receipts(&mut self) -> Result<Vec<Receipt>> {
        match self.call(RequestBody::Receipts, 0)? {
            ReplyBody::Receipts(receipts) => Ok(receipts),
            other => Err(unexpected(&other)),
        }
    }

    fn call(&mut self, body: RequestBody, deadline: u64) -> Result<ReplyBody> {
        let answer = self.link.as_mut().ok_or(Error::VaultEnded)?.call(body, deadline);
        // A refusal leaves it as it was; after anything else it is safer to begin anew.
        self.sound &= match &answer {
            Ok(_) | Err(Error::Usage(_)) => true,
            Err(Error::Vault(fault)) => matches!(fault.kind, FaultKind::Refused | FaultKind::Incomplete),
            Err(_) => false,
        };
        answer
    }
}

impl Drop for Vault {
    fn drop(&mut self) {
        if let (true, Some((keeper, launch)), Some(link)) = (self.sound, self.home.take(), self.link.take()) {
            keeper.put(launch, link);
        }
    }
}

impl Link {
    /// Whether the child still runs.
    pub(crate) fn lives(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn call(&mut self, body: RequestBody, deadline: u64) -> Result<ReplyBody> {
        self.last = self.last.saturating_add(1);
        let shows_words = matches!(body, RequestBody::NewKey(_));
        let request = Request { id: self.last, deadline, body };
        if let Err(FrameError::TooLong(found)) = write_frame(&mut self.socket, &request.to_bytes()) {
            return Err(Error::Usage(format!(
                "the spend needs a message of {found} bytes: split the payment"
            )));
        }
        // A failed write is no end yet: a vault that cannot start says why, and reads nothing.
        let frame = match read_frame(&mut self.socket) {
            Ok(frame) => frame,
            Err(FrameError::TooLong(found)) => {
                return Err(Error::VaultNonsense(format!("a frame of {found} bytes")));
            }
            Err(FrameError::Closed | FrameError::Io(_)) => return Err(self.ended(shows_words)),
        };
        let reply = Reply::from_bytes(&frame).map_err(|error| Error::VaultNonsense(error.to_string()))?;
        if reply.id != self.last {
            return Err(Error::VaultNonsense(format!("a reply to {}, not to {}", reply.id, self.last)));
        }
        match reply.body {
            ReplyBody::Fault(fault) => Err(fault.into()),
            body => Ok(body),
        }
    }

    /// It ended in the middle. Killed, it left the terminal without echo, and perhaps words on it.
    fn ended(&mut self, shows_words: bool) -> Error {
        let status = self.last_status();
        if let (Some(before), true) = (&mut self.before, status.is_some_and(|how| how.signal().is_some())) {
            before.restore(shows_words);
        }
        Error::VaultEnded
    }

    /// How it ended, when it does in time.
    fn last_status(&mut self) -> Option<ExitStatus> {
        let until = Instant::now() + FAREWELL;
        while Instant::now() < until {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(5)),
                Ok(status) => return status,
                Err(_) => return None,
            }
        }
        None
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The end of the conversation is its order to leave; one that does not is of no use to anybody.
        let _ = self.socket.shutdown(Shutdown::Both);
        if self.last_status().is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Unix time in seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Starts a child that inherits these descriptors. They are close-on-exec again before anything else is started.
fn spawn_passing(command: &mut Command, passed: &[OwnedFd]) -> io::Result<Child> {
    let mark = |flags: FdFlags| passed.iter().try_for_each(|fd| fcntl_setfd(fd.as_fd(), flags));
    mark(FdFlags::empty())?;
    let child = command.spawn();
    mark(FdFlags::CLOEXEC)?;
    child
}

fn inherited(number: RawFd) -> Result<()> {
    std::fs::symlink_metadata(format!("/proc/self/fd/{number}")).map(|_| ()).map_err(|_| Error::Input {
        name: format!("descriptor {number}"),
        source: io::Error::from_raw_os_error(rustix::io::Errno::BADF.raw_os_error()),
    })
}

fn unexpected(body: &ReplyBody) -> Error {
    let found = match body {
        ReplyBody::Hello { .. } => "hello",
        ReplyBody::Key(_) => "a key",
        ReplyBody::Keys { .. } => "keys",
        ReplyBody::Status(_) => "its status",
        ReplyBody::Pinned { .. } => "an authority",
        ReplyBody::Review(_) => "a review",
        ReplyBody::Signed(_) => "signatures",
        ReplyBody::Receipts(_) => "receipts",
        ReplyBody::Message(_) => "a message",
        ReplyBody::Fault(_) => "a fault",
    };
    Error::VaultNonsense(format!("{found}, which was not asked for"))
}
