//! `gatekeeper approve FILE…`: people read what a terminal asked for, and agree. Nothing but the file is needed.

use crate::Error;
use crate::draft::Draft;
use crate::report::Report;
use crate::signer::Signer;
use crate::submission::{claims, documents};
use policies::approval::Approval;
use policies::codec::Canonical;
use policies::identity::{MAX_SIGNATURE_LEN, Namespace, PublicKey, SshSig};
use psbt_tools::display::{escape, hash_words};
use psbt_tools::envelope::Kind;
use psbt_tools::files::{DEFAULT_LIMIT, read, write_new};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Whose signature is added.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    /// The holder's of this key, made now.
    Key(&'a Path),
    /// One that `ssh-keygen -Y sign -n airlock-approve` made over the text.
    Signature(&'a Path),
}

/// Shows, signs, writes; each file by itself.
///
/// # Errors
/// [`Error::Request`] when a PSBT does not pay what its request asks for, [`Error::Approval`] for an approval that would
/// not count.
pub fn run(
    files: &[PathBuf],
    by: By<'_>,
    out: Option<&Path>,
    now: u64,
    show: impl Fn(&[String]),
) -> Result<Report, Error> {
    if let [file] = files {
        let out = out.map_or_else(|| approved_name(file), Path::to_owned);
        return approve(file, by, &out, now, &show);
    }
    if out.is_some() || matches!(by, By::Signature(_)) {
        return Err(Error::Usage {
            message: "-o and --signature are for one file, and several are approved".to_owned(),
            hint: "leave -o out: each approved file is written beside its own as NAME-approved.psbt"
                .to_owned(),
        });
    }
    let approve =
        |file: &PathBuf| (file.display().to_string(), approve(file, by, &approved_name(file), now, &show));
    let results: Vec<_> = files.iter().map(approve).collect();
    if results.iter().any(|(_, result)| result.is_err()) {
        return Err(Error::Several(results));
    }
    let reports: Vec<Report> = results.into_iter().filter_map(|(_, result)| result.ok()).collect();
    let objects: Vec<Value> = reports.iter().map(|report| Value::Object(report.json.clone())).collect();
    let lines = reports.into_iter().flat_map(|report| report.lines).collect();
    Ok(Report { lines, ..Report::new(json!({ "files": objects })) })
}

/// The text that an approver signs, to the byte. Gives it to `print`, or writes it as a file.
///
/// # Errors
/// As [`run`].
pub fn text(file: &Path, out: Option<&Path>, now: u64) -> Result<(Report, Option<String>), Error> {
    let draft = Draft::read(read(file, DEFAULT_LIMIT)?, now)?;
    draft.signed()?;
    let text = draft.request.approval_text();
    let report = Report::new(json!({
        "payment": draft.request.number(),
        "request": draft.request.id().to_string(),
        "text": text,
        "out": out.map(|out| out.display().to_string()),
    }));
    match out {
        None => Ok((report, Some(text))),
        Some(out) => {
            write_new(out, text.as_bytes(), 0o600)?;
            let name = escape(&out.to_string_lossy());
            let sign = format!("sign it: ssh-keygen -Y sign -n airlock-approve -f KEY {name}");
            Ok((report.line(format!("written to {name}")).line(sign), None))
        }
    }
}

fn approve(
    file: &Path,
    by: By<'_>,
    out: &Path,
    now: u64,
    show: &impl Fn(&[String]),
) -> Result<Report, Error> {
    let draft = Draft::read(read(file, DEFAULT_LIMIT)?, now)?;
    let (_, asker) = draft.signed()?;
    let request = &draft.request;
    let text = request.approval_text();
    let (approver, signature) = match by {
        By::Key(key) => {
            let signer = Signer::find(key)?;
            refuse_own(signer.public(), asker)?;
            // Shown before the key is used: a passphrase or a touch is the consent.
            show(&lines(&draft, asker));
            (signer.public().clone(), signer.sign(Namespace::Approve, text.as_bytes())?)
        }
        By::Signature(file) => {
            let (approver, signature) = signature(file, &text)?;
            refuse_own(&approver, asker)?;
            show(&lines(&draft, asker));
            (approver, signature)
        }
    };
    let approval = Approval { request: request.id(), signature };
    approval.approver(request)?;
    let mut envelope = draft.imported.envelope().clone();
    // A security key never signs twice alike: one approval by a key is enough.
    let earlier: Vec<Approval> = documents(&envelope, Kind::Approval, "an approval")?;
    if !earlier.iter().any(|earlier| earlier.approver(request).as_ref() == Ok(&approver)) {
        envelope.insert(Kind::Approval, approval.to_bytes())?;
    }
    let approved = draft.imported.sent(&envelope, &draft.says(&approver))?;
    write_new(out, &approved, 0o600)?;
    let by = approver.fingerprint();
    Ok(Report::new(json!({
        "payment": request.number(),
        "request": request.id().to_string(),
        "text": text,
        "requester": asker.fingerprint(),
        "approver": by,
        "fee_sat": draft.imported.inspection().fee.map(bitcoin::Amount::to_sat),
        "words": hash_words(&draft.imported.sha256()),
    }))
    .line(format!("{} approved by {by}", request.number()))
    .written(out, &approved))
}

/// What is signed, and what the file does besides.
fn lines(draft: &Draft, asker: &PublicKey) -> Vec<String> {
    let mut lines = claims(&draft.imported);
    lines.extend(draft.request.approval_text().lines().map(escape));
    lines.push(String::new());
    lines.push(format!("asked for by {}", asker.fingerprint()));
    lines.push("the file pays that, and besides:".to_owned());
    lines.extend(draft.rest_lines());
    lines.push(draft.fee_line());
    lines
}

/// A signature from a file, and who made it.
fn signature(file: &Path, text: &str) -> Result<(PublicKey, SshSig), Error> {
    let limit = u64::try_from(MAX_SIGNATURE_LEN).unwrap_or(u64::MAX).saturating_mul(2);
    let bytes = read(file, limit)?;
    let verified = SshSig::from_armor(&String::from_utf8_lossy(&bytes)).and_then(|signature| {
        let key = signature.verify(Namespace::Approve, text.as_bytes())?;
        Ok((key, signature))
    });
    verified.map_err(|error| Error::Approval {
        message: format!("the signature is no approval of this request: {error}"),
        hint:
            "sign exactly the text that `gatekeeper approve FILE --text -o T` writes: ssh-keygen -Y sign -n \
               airlock-approve -f KEY T"
                .to_owned(),
    })
}

fn refuse_own(approver: &PublicKey, asker: &PublicKey) -> Result<(), Error> {
    if approver != asker {
        return Ok(());
    }
    Err(Error::Approval {
        message: format!(
            "{} asked for this payment: an approval by the same key does not count",
            asker.fingerprint()
        ),
        hint: "let somebody else approve it".to_owned(),
    })
}

/// `NAME-approved.psbt` beside `NAME-request.psbt` or `NAME.psbt`.
fn approved_name(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name = stem.strip_suffix("-request").unwrap_or(&stem);
    file.with_file_name(format!("{name}-approved.psbt"))
}
