//! Why the vault did not do what it was asked.

use policies::check::{Code, Finding, Outcome};
use policies::codec::{CodecError, Decoder, Encoder};

/// Longest message or hint, in bytes.
const MAX_TEXT_LEN: usize = 64 << 10;

/// Most findings of one reply.
const MAX_FINDINGS: usize = 300_000;

/// What kind of no: each has one exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// I/O or an internal fault: exit 1.
    Internal,
    /// Refused: exit 3.
    Refused,
    /// More is needed (consent, acceptance of a question): exit 4.
    Incomplete,
    /// Wrong passphrase, locked, or held by another process: exit 5.
    Locked,
}

impl FaultKind {
    /// The exit code of a program that ends with it.
    pub const fn exit_code(self) -> u8 {
        match self {
            FaultKind::Internal => 1,
            FaultKind::Refused => 3,
            FaultKind::Incomplete => 4,
            FaultKind::Locked => 5,
        }
    }
}

/// A no with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// What kind of no.
    pub kind: FaultKind,
    /// A check's number or a short kebab-case word.
    pub code: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do next.
    pub hint: String,
    /// The checks and rules in the way, when it was they.
    pub findings: Vec<Finding>,
}

impl Fault {
    /// A no without findings.
    pub fn new(kind: FaultKind, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { kind, code: code.to_owned(), message: message.into(), hint: hint.into(), findings: vec![] }
    }

    /// A no because of findings: refused when any of them refuses, else incomplete.
    pub fn from_findings(findings: Vec<Finding>) -> Self {
        let gravest =
            findings.iter().max_by_key(|finding| (finding.outcome, std::cmp::Reverse(finding.code)));
        let (kind, code, message, hint) = match gravest {
            Some(finding) if finding.outcome == Outcome::Refuse => (
                FaultKind::Refused,
                finding.code.to_string(),
                finding.message.clone(),
                finding.hint.clone().unwrap_or_else(|| "see the other findings".to_owned()),
            ),
            Some(finding) => (
                FaultKind::Incomplete,
                finding.code.to_string(),
                finding.message.clone(),
                format!("accept it by its number if it is what you want: --accept {}", finding.code),
            ),
            None => (
                FaultKind::Refused,
                "refused".to_owned(),
                "nothing vouches for it".to_owned(),
                "see the log".to_owned(),
            ),
        };
        Self { kind, code, message, hint, findings }
    }

    pub(crate) fn encode(&self, to: &mut Encoder) {
        to.u8(self.kind.exit_code());
        to.string(self.code.as_bytes());
        to.string(self.message.as_bytes());
        to.string(self.hint.as_bytes());
        encode_findings(to, &self.findings);
    }

    pub(crate) fn decode(from: &mut Decoder<'_>) -> Result<Self, CodecError> {
        let number = from.u8("fault")?;
        let kind = [FaultKind::Internal, FaultKind::Refused, FaultKind::Incomplete, FaultKind::Locked]
            .into_iter()
            .find(|kind| kind.exit_code() == number)
            .ok_or_else(|| CodecError::invalid("fault", format!("kind {number}")))?;
        Ok(Self {
            kind,
            code: text(from, "code")?,
            message: text(from, "message")?,
            hint: text(from, "hint")?,
            findings: decode_findings(from)?,
        })
    }
}

/// Appends findings.
pub fn encode_findings(to: &mut Encoder, findings: &[Finding]) {
    to.list(findings, |to, finding| {
        to.string(finding.code.to_string().as_bytes());
        to.string(finding.outcome.as_str().as_bytes());
        to.string(finding.message.as_bytes());
        to.option(finding.hint.as_ref(), |to, hint| to.string(hint.as_bytes()));
    });
}

/// Reads findings.
///
/// # Errors
/// [`CodecError`].
pub fn decode_findings(from: &mut Decoder<'_>) -> Result<Vec<Finding>, CodecError> {
    from.list("findings", MAX_FINDINGS, |from| {
        let code: Code = text(from, "code")?.parse().map_err(|error| CodecError::invalid("code", error))?;
        let word = text(from, "outcome")?;
        let outcome = Outcome::from_word(&word)
            .ok_or_else(|| CodecError::invalid("outcome", format!("`{word}` is not known")))?;
        let message = text(from, "message")?;
        Ok(Finding { code, outcome, message, hint: from.option("hint", |from| text(from, "hint"))? })
    })
}

/// Text that may quote foreign bytes: UTF-8, escaped where it is shown.
fn text(from: &mut Decoder<'_>, what: &'static str) -> Result<String, CodecError> {
    let bytes = from.string(what, MAX_TEXT_LEN)?;
    String::from_utf8(bytes.to_vec()).map_err(|error| CodecError::invalid(what, error))
}
