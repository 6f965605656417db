//! How a payment's file leaves: written, shown as QR codes, or both.

use std::path::{Path, PathBuf};

use psbt_tools::show::{Content, To};
use psbt_tools::{display, files};

use crate::error::Result;
use crate::output::Output;
use crate::store::{Attempt, Payment, Store};

/// Where it goes.
#[derive(Debug, clap::Args)]
pub struct Way {
    /// Where the file is written; needed unless it is shown.
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["qr", "png", "gif"])]
    output: Option<PathBuf>,
    #[command(flatten)]
    to: To,
}

/// A file on its way.
pub struct Left {
    /// The payment's name.
    name: String,
    attempt: Attempt,
    bytes: Vec<u8>,
}

impl Way {
    /// Whether the file could go there: looked at before anything is made.
    pub fn is_free(&self) -> Result<()> {
        self.to.is_ready()?;
        self.output.as_deref().map_or(Ok(()), |output| Ok(files::require_free(output)?))
    }

    /// The name that it is written to.
    pub fn output(&self) -> Option<&Path> {
        self.output.as_deref()
    }

    /// The name that it is written to, for a person to type.
    pub fn file(&self) -> Option<String> {
        self.output().map(|output| display::escape(&output.to_string_lossy()))
    }

    /// Writes it where it has a name, and notes that it left. What is shown leaves when it was seen: by [`Self::show`].
    pub fn write(
        &self,
        store: &mut Store,
        payment: &Payment,
        attempt: &Attempt,
        bytes: Vec<u8>,
    ) -> Result<Left> {
        let left = Left { name: payment.name(), attempt: attempt.clone(), bytes };
        if let Some(output) = &self.output {
            files::write_new(output, &left.bytes, 0o600).inspect_err(|_| left.is_kept())?;
            store.mark_exported(attempt)?;
        }
        Ok(left)
    }

    /// Shows it where that is wanted, adds to the output what was shown, and notes that it left. The store must be free:
    /// this takes as long as somebody looks.
    pub fn show(&self, dir: &Path, output: Output, left: Option<Left>) -> Result<Output> {
        let Some(left) = left.filter(|_| self.to.is_wanted()) else { return Ok(output) };
        let content = Content::of(left.bytes.clone())?;
        let shown = self.to.show(&content, None).inspect_err(|_| left.is_kept())?;
        let mut store = Store::open(dir)?;
        let _lock = store.lock()?;
        store.mark_exported(&left.attempt)?;
        let Output { mut text, mut json, refusal } = output;
        // Standard output carries the file itself when that is asked for.
        if !self.output().is_some_and(files::is_dash) {
            text = format!("{text}\n{}", shown.text());
        }
        if let Some(object) = json.as_object_mut() {
            object.insert("qr".to_owned(), shown.to_json());
        }
        Ok(Output { text, json, refusal })
    }
}

impl Left {
    /// The words of what leaves, for people to compare on both sides.
    pub fn words(&self) -> String {
        display::words_of(&self.bytes)
    }

    fn is_kept(&self) {
        let name = &self.name;
        eprintln!("note: {name} is kept; `watch-node payments export {name} -o FILE` writes it");
    }
}
