//! What is refused about a medium as a whole.

use super::name::BadName;

/// Most names in one sentence.
const MAX_NAMED: usize = 20;

/// Why nothing was taken or put. Names in it are escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A name that a medium cannot carry.
    #[error("{0} is not written: {1}")]
    Name(String, BadName),
    /// A name that leads elsewhere.
    #[error("{0} is no name in the folder")]
    NotIn(String),
    /// There is nothing to take.
    #[error("there is no payment among the {files} files in {folder}")]
    NoPayment {
        /// The folder.
        folder: String,
        /// Files in it that are something else.
        files: usize,
    },
    /// There is more than one.
    #[error("there are {} payments: {}", .0.len(), named(.0))]
    Ambiguous(Vec<String>),
    /// Not everything in the folder was looked at, so nobody knows whether there is only one.
    #[error("not everything in {0} was looked at")]
    Unseen(String),
    /// The file is not what was written, or nobody can tell.
    #[error("{0} does not match its sidecar: {1}")]
    Sidecar(String, String),
    /// One JSON object and a file do not both go to standard output.
    #[error("the file and the JSON object cannot both go to standard output")]
    Output,
}

impl Refusal {
    /// A short kebab-case word.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Name(..) | Refusal::NotIn(_) => "name",
            Refusal::NoPayment { .. } => "no-payment",
            Refusal::Ambiguous(_) => "ambiguous",
            Refusal::Unseen(_) => "too-many-entries",
            Refusal::Sidecar(..) => "sidecar",
            Refusal::Output => "usage",
        }
    }

    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Refusal::Name(..) => "give it a name of letters, digits, `-` and `.` first",
            Refusal::NotIn(_) => "name a file of the folder as `psbt-tools usb list DIR` shows it",
            Refusal::NoPayment { .. } => "`psbt-tools usb list DIR` shows what is there",
            Refusal::Ambiguous(_) | Refusal::Unseen(_) => "name one: `psbt-tools usb read DIR NAME -o OUT`",
            Refusal::Sidecar(..) => {
                "take it again from its sender: the medium was pulled too early, or somebody changed the file"
            }
            Refusal::Output => "name a file with -o, or leave out --json",
        }
    }

    pub(crate) fn exit_code(&self) -> u8 {
        if matches!(self, Refusal::Output) { 2 } else { 3 }
    }
}

fn named(names: &[String]) -> String {
    let shown = names.iter().take(MAX_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > MAX_NAMED { format!("{shown}, …") } else { shown }
}
