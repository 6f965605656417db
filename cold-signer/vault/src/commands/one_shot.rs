//! `cold-vault one-shot`: one visit of the console on an inherited socket.

use std::fs::File;
use std::io::{BufReader, BufWriter};

use clap::Args;
use cold_wire::{Fault, FrameError, Reply, ReplyBody, Request, read_frame, write_frame};
use policies::codec::Canonical;

use super::{StoreArgs, existing, terminal};
use crate::harden::{self, Control};
use crate::service::{PassphraseSource, Vault};
use crate::store::Store;
use crate::{Error, adopt_descriptor};

#[derive(Args)]
pub(super) struct OneShot {
    #[command(flatten)]
    store: StoreArgs,
    /// Descriptor of the console's socket.
    #[arg(long)]
    socket_fd: i32,
    /// Make the store when there is none.
    #[arg(long)]
    create: bool,
    /// Make keys without showing their words: for demos and tests, refused on mainnet.
    #[arg(long)]
    words_unseen: bool,
}

impl OneShot {
    pub(super) fn run(&self) -> Result<(), Error> {
        let mut keep = vec![self.socket_fd];
        keep.extend(self.store.passphrase_fd);
        let begun = harden::begin(&keep)?;
        let socket = File::from(adopt_descriptor(self.socket_fd)?);
        let writing = socket.try_clone().map_err(|_| Error::Socket)?;
        let (mut from, mut to) = (BufReader::new(socket), BufWriter::new(writing));
        let mut vault = self.prepare(begun);
        loop {
            let frame = match read_frame(&mut from) {
                Ok(frame) => frame,
                Err(FrameError::Closed) => return Ok(()),
                Err(FrameError::TooLong(_) | FrameError::Io(_)) => return Err(Error::Socket),
            };
            // A frame that is no request closes the connection: there is no id to answer to.
            let request = Request::from_bytes(&frame).map_err(|_| Error::Socket)?;
            let (body, close) = match &mut vault {
                Ok(vault) => {
                    let answer = vault.answer(&request);
                    (answer.body, answer.close)
                }
                Err(fault) => (ReplyBody::Fault(fault.clone()), true),
            };
            let reply = Reply { id: request.id, body };
            write_frame(&mut to, &reply.to_bytes()).map_err(|_| Error::Socket)?;
            if close {
                return Ok(());
            }
        }
    }

    /// Opens everything, then closes the sandbox. What goes wrong is the answer to the first message.
    fn prepare(&self, mut controls: Vec<Control>) -> Result<Vault, Fault> {
        let live = self.store.network()?;
        let mut terminal = terminal();
        let given = self.store.passphrase()?;
        let (store, known) = if self.create {
            self.store.open_or_create(given, terminal.as_deref_mut())?
        } else {
            existing(&self.store.store)?;
            (Store::open(&self.store.store)?, given)
        };
        controls.extend(harden::confine()?);
        let source = match (known, &terminal) {
            (Some(passphrase), _) => Some(PassphraseSource::Given(passphrase)),
            (None, Some(_)) => Some(PassphraseSource::Terminal),
            (None, None) => None,
        };
        let mut vault = Vault::new(store, source, terminal, controls, live);
        vault.show_words(!self.words_unseen);
        Ok(vault)
    }
}
