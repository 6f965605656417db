//! `combine`: one PSBT with the signatures and documents of several copies, and of replies.

use crate::commands::Copies;
use crate::output;
use clap::Args;
use psbt_tools::combine::combine;
use psbt_tools::document::Document;
use psbt_tools::import::{Context, import};
use psbt_tools::reply::{self, Reply};
use psbt_tools::{Error, files, manifest, strict};
use std::path::PathBuf;
use std::process::ExitCode;

/// Unites copies of one PSBT, and puts replies into them; every signature is verified first.
///
/// What comes out has no manifest, because nobody wrote that file before; one PSBT with one reply gives the very file that the
/// signer would have written whole.
///
/// Example: psbt-tools combine signed-by-a.psbt signed-by-b.psbt -o signed.psbt
///
/// Example: psbt-tools combine salaries-permitted.psbt salaries-reply.airlock -o salaries-signed.psbt
#[derive(Debug, Args)]
pub struct Arguments {
    /// Copies of one PSBT and replies to it, two files or more; one of them may be `-`, standard input
    #[arg(required = true, num_args = 2.., value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The file to write, in the version and encoding of the first PSBT; `-` is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let (mut psbts, mut replies) = (Vec::new(), Vec::new());
    for path in &arguments.files {
        let bytes = files::read(path, files::DEFAULT_LIMIT)?;
        match reply::binary(&bytes) {
            Some(reply) => replies.push(Reply::read(&reply)?),
            None => psbts.push((path.as_path(), bytes)),
        }
    }
    let bytes = match psbts.as_slice() {
        [] => {
            return Err(Error::malformed(
                "these are replies only, and no PSBT that they belong to",
                "name the PSBT that was signed beside them; `watch-node payments export` writes it again",
            ));
        }
        [(_, one)] if !replies.is_empty() => one.clone(),
        _ => united(Copies::of(psbts)?)?,
    };
    let is_whole_answer = arguments.files.len() == 2;
    output::write(&arguments.output, &answered(bytes, &replies, is_whole_answer)?)?;
    Ok(ExitCode::SUCCESS)
}

fn united(copies: Copies) -> Result<Vec<u8>, Error> {
    let combined = combine(&copies.parts())?;
    if combined.unverified > 0 {
        let noun = if combined.unverified == 1 { "input" } else { "inputs" };
        output::say(format_args!(
            "note: signatures at {} {noun} are for scripts that are not verified here",
            combined.unverified
        ));
    }
    Ok(copies.encoding.encode_bytes(combined.form.serialize(&combined.psbt)))
}

/// The PSBT with the replies in it. Whoever sent the last of several says nothing about all of them.
fn answered(mut bytes: Vec<u8>, replies: &[Reply], keeps_manifest: bool) -> Result<Vec<u8>, Error> {
    for reply in replies {
        bytes = reply::merge(&import(bytes, &[], &Context::default())?, reply)?;
    }
    if replies.is_empty() || keeps_manifest {
        return Ok(bytes);
    }
    let document = Document::parse(bytes)?;
    let (mut psbt, form) = strict::read(document.psbt_bytes())?;
    manifest::remove(&mut psbt);
    Ok(document.encoding().encode_bytes(form.serialize(&psbt)))
}
