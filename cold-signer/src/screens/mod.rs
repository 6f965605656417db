//! What the operator sees before anything is signed: pure text, from the vault's own review. Nothing is left out and
//! nothing is cut; what does not fit goes to the next page.

pub(crate) mod authority;
mod message;
mod page;
mod parts;
mod totals;

pub use authority::authority_lines;
pub use message::{message_head, message_lines, part_lines};
pub use page::{Size, paginate, wrap};
pub use parts::{boundary as boundary_text, live_network as live_network_text};
pub use totals::Totals;

use cold_wire::Review;
use psbt_tools::manifest::Manifest;

/// What is shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// The file's name, escaped.
    pub file: &'a str,
    /// What the file says of itself: a claim that makes nothing pass.
    pub manifest: Option<&'a Manifest>,
    /// SHA-256 of the bytes that were read.
    pub sha256: [u8; 32],
    /// The vault's review, with the reader's findings added.
    pub review: &'a Review,
    /// Interfaces that are up.
    pub live_network: &'a [String],
}

/// Pages of a review for a terminal of this size, each with the same head.
pub fn pages(shown: &Shown<'_>, size: Size) -> Vec<String> {
    paginate(&head(shown), &body(shown), size)
}

/// The whole review as one text, wrapped for a terminal of so many columns, or not at all for a file.
pub fn text(shown: &Shown<'_>, columns: Option<usize>) -> String {
    let lines = head(shown).into_iter().chain(body(shown));
    let lines: Vec<String> = match columns {
        Some(columns) => lines.flat_map(|line| wrap(&line, columns)).collect(),
        None => lines.collect(),
    };
    lines.join("\n")
}

fn head(shown: &Shown<'_>) -> Vec<String> {
    let mut lines = vec![format!("airlock · {}", shown.file), parts::network(shown.review.network)];
    lines.extend(parts::live_network(shown.live_network));
    lines
}

fn body(shown: &Shown<'_>) -> Vec<String> {
    let review = shown.review;
    let sections = [
        parts::claims(shown.manifest),
        parts::voucher(review),
        parts::recipients(review),
        parts::change(review),
        parts::fee(review),
        parts::timing(review),
        parts::limits(review),
        parts::findings(&review.findings),
        parts::identifiers(review, shown.sha256),
        vec![parts::boundary()],
    ];
    let mut lines = Vec::new();
    for section in sections.into_iter().filter(|section| !section.is_empty()) {
        lines.push(String::new());
        lines.extend(section);
    }
    lines
}

#[cfg(test)]
pub(crate) mod tests;
