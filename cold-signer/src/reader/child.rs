//! The reader's side: confine, say so, read one document, answer, end.

use super::message::{Answer, Open, Order, Reading, WalletText};
use cold_wire::{Bundle, FrameError, read_frame, write_frame};
use policies::approval::Approval;
use policies::check::{Check, Finding};
use policies::codec::{Canonical, CodecError};
use policies::evidence::Evidence;
use policies::examine::{FeeBounds, FeeCeiling, Marks};
use policies::permit::{Permit, Receipt};
use policies::request::SignedRequest;
use policies::signature::InputSignature;
use policies::wallet::{MAX_INDEX, Wallet};
use psbt_tools::envelope::{Envelope, Kind};
use psbt_tools::import::{Context, Imported, import};
use psbt_tools::reply::Reply;
use psbt_tools::sandbox::{self, Limits, SandboxError, Socket};
use psbt_tools::wallet_file::bsms::Token;
use std::process::ExitCode;

/// Memory: 16 times the largest file. Processor time for one document.
const LIMITS: Limits = Limits { memory: 1 << 30, seconds: 300 };

/// Runs the reader on descriptor 0.
pub fn main() -> ExitCode {
    // The message of a panic may quote the document; the console says that the reader was stopped.
    std::panic::set_hook(Box::new(|_| {}));
    match serve(&mut Socket) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Why the conversation ended early; told by the exit code only.
#[derive(Debug, thiserror::Error)]
pub(super) enum Ended {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Codec(#[from] CodecError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error("an order that does not fit the state")]
    OutOfTurn,
}

fn serve(socket: &mut Socket) -> Result<(), Ended> {
    if let Err(error) = sandbox::confine_with_helper(&LIMITS) {
        let hint =
            "files are read only in the sandbox; use a kernel of 5.13 or later with Landlock and seccomp";
        let answer = Answer::Unreadable {
            code: "sandbox".to_owned(),
            message: error.to_string(),
            hint: hint.to_owned(),
            exit: 1,
        };
        say(socket, &answer)?;
        return Err(error.into());
    }
    say(socket, &Answer::Ready)?;
    let open = match hear(socket)? {
        Order::Open(open) => open,
        Order::Wallet { file, token } => return say(socket, &wallet(&file, token.as_deref())),
        Order::Message(order) => return super::messages::child::serve(socket, order),
        Order::Attach { .. } => return Err(Ended::OutOfTurn),
    };
    let imported = match read(open) {
        Ok(imported) => imported,
        Err(error) => return say(socket, &unreadable(&error)),
    };
    say(socket, &Answer::Read(Box::new(reading(&imported))))?;
    let Order::Attach { signatures, receipt, reply } = hear(socket)? else { return Err(Ended::OutOfTurn) };
    let written = match reply {
        true => answer(&imported, &signatures, &receipt),
        false => imported.answered(&signatures, &[receipt]),
    };
    match written {
        Ok(bytes) => say(socket, &Answer::Written(bytes)),
        Err(error) => say(socket, &unreadable(&error)),
    }
}

/// The reply in the place of the document.
fn answer(
    imported: &Imported,
    signatures: &[InputSignature],
    receipt: &[u8],
) -> Result<Vec<u8>, psbt_tools::Error> {
    let receipt = Receipt::from_bytes(receipt).map_err(|error| {
        psbt_tools::Error::malformed(
            format!("the vault's receipt cannot be read: {error}"),
            "install cold-signer and cold-vault of the same version",
        )
    })?;
    Ok(Reply::to(imported, signatures, &receipt)?.to_bytes())
}

pub(super) fn say(socket: &mut Socket, answer: &Answer) -> Result<(), Ended> {
    Ok(write_frame(socket, &answer.to_bytes())?)
}

pub(super) fn hear(socket: &mut Socket) -> Result<Order, Ended> {
    Ok(Order::from_bytes(&read_frame(socket)?)?)
}

fn read(open: Open) -> Result<Imported, psbt_tools::Error> {
    let wallets = open
        .wallets
        .iter()
        .map(|wallet| Wallet::new(wallet.network, &[&wallet.external, &wallet.internal]))
        .collect::<Result<Vec<_>, _>>()?;
    // How far the wallet was used and what its policy says of fees is known to the vault alone, which judges both
    // (checks C08 and C16); here they never stand in the way.
    let unbounded =
        FeeCeiling { amount: bitcoin::Amount::MAX_MONEY, percent: u64::MAX, sat_per_vb: u64::MAX };
    let context = Context {
        marks: Marks { gap: MAX_INDEX, ..Marks::default() },
        fees: FeeBounds { ask: unbounded, refuse: unbounded },
        now: Some(open.now),
        ..Context::default()
    };
    let imported = import(open.document, &wallets, &context)?;
    if let Some(manifest) = imported.manifest() {
        match imported.spend() {
            Some(spend) => manifest.agrees(spend)?,
            None => manifest.addressed(wallets.iter().map(|wallet| (wallet.network(), wallet.id())))?,
        }
    }
    Ok(imported)
}

fn wallet(file: &[u8], token: Option<&str>) -> Answer {
    let token = token.map(Token::parse).transpose();
    match token.and_then(|token| psbt_tools::wallet_file::read_with_token(file, token.as_ref())) {
        Ok(found) => Answer::Wallet(WalletText {
            network: found.network,
            descriptors: found.descriptors,
            notes: found.notes,
        }),
        Err(error) => unreadable(&error),
    }
}

fn reading(imported: &Imported) -> Reading {
    let mut findings = imported.findings().to_vec();
    let papers = match Papers::of(imported.envelope()) {
        Ok(papers) => papers,
        Err(finding) => {
            findings.push(*finding);
            Papers::default()
        }
    };
    let Papers { request, approvals, permits } = papers;
    let bundle = imported.spend().map(|spend| Bundle {
        spend: spend.clone(),
        evidence: Evidence::new(imported.evidence().transactions().cloned()),
        request,
        approvals,
        permits,
    });
    Reading {
        sha256: imported.sha256(),
        manifest: imported.manifest().cloned(),
        psbt_version: imported.psbt().version,
        bundle,
        findings,
    }
}

/// Documents of the envelope that the vault judges by. The others stay in the file.
#[derive(Default)]
struct Papers {
    request: Option<SignedRequest>,
    approvals: Vec<Approval>,
    permits: Vec<Permit>,
}

impl Papers {
    /// All approvals and permits, and the one request that counts: the signed one.
    fn of(envelope: &Envelope) -> Result<Self, Box<Finding>> {
        let requests: Vec<SignedRequest> = documents(envelope, Kind::Request)?;
        let signed = requests.iter().filter(|request| request.signature.is_some()).count();
        let mut counting = requests.into_iter().filter(|request| signed == 0 || request.signature.is_some());
        let request = counting.next();
        if counting.next().is_some() {
            return Err(refuse(
                "the file holds several requests: which one is meant cannot be told".to_owned(),
            ));
        }
        let approvals = documents(envelope, Kind::Approval)?;
        Ok(Self { request, approvals, permits: documents(envelope, Kind::Permit)? })
    }
}

/// Every document of a kind; one that is malformed is refused and not overlooked.
fn documents<T: Canonical>(envelope: &Envelope, kind: Kind) -> Result<Vec<T>, Box<Finding>> {
    let read = envelope.get(kind).map(T::from_bytes).collect::<Result<_, _>>();
    read.map_err(|error| refuse(format!("the {} in the file is malformed: {error}", kind.as_str())))
}

fn refuse(message: String) -> Box<Finding> {
    Box::new(
        Finding::refuse(Check::AUTHORISATION, message)
            .hint("let the gatekeeper write the file again: `gatekeeper submit FILE -o OUT`"),
    )
}

pub(super) fn unreadable(error: &psbt_tools::Error) -> Answer {
    Answer::Unreadable {
        code: error.code(),
        message: error.to_string(),
        hint: error.hint().unwrap_or_else(|| "see `psbt-tools inspect FILE`".to_owned()),
        // A failure is never a success, whatever the library says.
        exit: error.exit_code().clamp(1, 4),
    }
}
