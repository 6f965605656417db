//! Taproot trees of outputs (BIP371), whose branches `bitcoin` writes in the order of their hashes.

use super::cursor::Cursor;
use bitcoin::ScriptBuf;
use bitcoin::taproot::{LeafVersion, TapTree, TaprootBuilder};

/// Whether two values of `PSBT_OUT_TAP_TREE` are one tree but for the order of its branches, which changes nothing.
pub(crate) fn is_same(one: &[u8], other: &[u8]) -> bool {
    // Trees are compared by their root, which commits to every leaf.
    parse(one).is_some_and(|tree| parse(other) == Some(tree))
}

fn parse(value: &[u8]) -> Option<TapTree> {
    let mut cursor = Cursor::new(value);
    let mut builder = TaprootBuilder::new();
    while cursor.remaining() > 0 {
        let [depth, version] = <[u8; 2]>::try_from(cursor.take("a leaf", 2).ok()?).ok()?;
        let script = ScriptBuf::from_bytes(cursor.string("a leaf").ok()?.to_vec());
        builder =
            builder.add_leaf_with_ver(depth, script, LeafVersion::from_consensus(version).ok()?).ok()?;
    }
    TapTree::try_from(builder).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_the_same_in_another_order_and_another_with_another_leaf() {
        // Depth, version and script of each leaf: `OP_1` and `OP_2`, then `OP_3` in place of the second.
        let leaf = |number: u8| [1, 0xc0, 1, 0x50 + number];
        let tree = |one, other| [leaf(one), leaf(other)].concat();
        assert!(is_same(&tree(1, 2), &tree(1, 2)) && is_same(&tree(1, 2), &tree(2, 1)));
        assert!(!is_same(&tree(1, 2), &tree(1, 3)));
        assert!(!is_same(&leaf(1), &leaf(1)), "half a tree is none");
    }
}
