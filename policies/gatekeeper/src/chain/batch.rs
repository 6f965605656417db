//! Headers in a row, each hashed once.

use super::ChainError;
use bitcoin::BlockHash;
use bitcoin::block::Header;

/// A header with its hash and the height that it claims.
pub struct Linked<'a> {
    pub height: u32,
    pub hash: BlockHash,
    pub header: &'a Header,
}

/// Headers that build on each other, the first at this height.
///
/// # Errors
/// [`ChainError::Unlinked`] where one does not, [`ChainError::Full`] for a height beyond all bounds.
pub fn linked(from: u32, headers: &[Header]) -> Result<Vec<Linked<'_>>, ChainError> {
    let mut links: Vec<Linked<'_>> = Vec::with_capacity(headers.len());
    let mut next = Some(from);
    for header in headers {
        let height = next.ok_or(ChainError::Full { height: u32::MAX })?;
        if let Some(before) = links.last().filter(|before| before.hash != header.prev_blockhash) {
            return Err(ChainError::Unlinked { height, found: header.prev_blockhash, expected: before.hash });
        }
        links.push(Linked { height, hash: header.block_hash(), header });
        next = height.checked_add(1);
    }
    Ok(links)
}
