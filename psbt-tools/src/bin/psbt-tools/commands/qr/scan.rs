//! `qr scan`: QR codes that are seen become a file again.

use crate::output::print;
use clap::Args;
use psbt_tools::display::{hash_words, hex};
use psbt_tools::scanner::{From, Size, followed};
use psbt_tools::{Error, files};
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;

/// Reads QR codes in pictures, in a video or with a camera, in any order, and writes what they carry; exit code 4 when
/// parts are missing.
///
/// All of it is decoded in a process of its own with 256 MiB, which can open nothing. Compare the six words with those of
/// the sender: formats without a check sum (BBQr) rely on it.
///
/// Example: psbt-tools qr scan --camera -o payment-signed.psbt
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").args(["pictures", "video", "camera"]).required(true))]
pub struct Arguments {
    /// PNG, JPEG or GIF pictures, or folders of them
    #[arg(value_name = "PICTURE")]
    pictures: Vec<PathBuf>,
    /// A camera instead, /dev/video0 unless another is named
    #[arg(long, value_name = "DEV", num_args = 0..=1, default_missing_value = "/dev/video0")]
    camera: Option<PathBuf>,
    /// A video instead: Y4M of 8 bits; `-` is standard input
    #[arg(long, value_name = "FILE")]
    video: Option<PathBuf>,
    /// The video is nothing but the brightness of its pixels, a byte each, in frames of this size
    #[arg(long, value_name = "WxH", requires = "video")]
    raw: Option<Size>,
    /// Go on with an interrupted scan; where this one is interrupted, its codes are kept in this file
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// The file to write; without it the payload is only described
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

pub fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    // Before anybody holds anything before a camera.
    arguments.output.as_deref().map_or(Ok(()), files::require_free)?;
    let from = From {
        camera: arguments.camera.clone(),
        video: arguments.video.clone(),
        picture: arguments.pictures.clone(),
        resume: arguments.resume.clone(),
        raw: arguments.raw,
    };
    let received = followed(&from)?;
    let (payload, sha256) = (&received.payload, received.sha256());
    if let Some(output) = &arguments.output {
        files::write_new(output, &payload.bytes, 0o644)?;
        received.done();
    }
    let integrity = payload.integrity.to_string();
    if arguments.json {
        let about = json!({
            "kind": payload.kind.to_string(), "format": payload.format.to_string().to_lowercase(),
            "integrity": integrity, "bytes": payload.bytes.len(),
            "sha256": hex(&sha256), "words": hash_words(&sha256),
            "pictures": received.pictures, "frames": received.frames, "codes": received.codes,
            "lost": received.lost,
        });
        print(&format!("{about}\n"))?;
    } else if !arguments.output.as_deref().is_some_and(files::is_dash) {
        let (kind, length, format) = (payload.kind, payload.bytes.len(), payload.format);
        print(&format!(
            "payload   {kind}, {length} bytes, by {format}\nintegrity {integrity}\nwords     {}\nSHA-256   {}\n",
            hash_words(&sha256),
            hex(&sha256)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}
