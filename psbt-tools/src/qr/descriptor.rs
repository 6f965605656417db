//! What a descriptor's text begins like.

/// The outermost script expressions (BIP380 and those that follow it).
const SCRIPTS: [&str; 10] =
    ["pkh(", "wpkh(", "sh(", "wsh(", "tr(", "pk(", "combo(", "multi(", "sortedmulti(", "cosigner("];

/// Whether every line of a text begins like a descriptor. Whether it is one is for the reader of descriptors.
pub(crate) fn looks_like_descriptor(text: &str) -> bool {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty()).peekable();
    lines.peek().is_some() && lines.all(|line| SCRIPTS.iter().any(|script| line.starts_with(script)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_told_from_other_text() {
        assert!(looks_like_descriptor("wsh(multi(1,a,b))#abcdefgh\n\n tr(k)"));
        assert!(!looks_like_descriptor("wsh(multi(1,a,b))\nhello"));
        assert!(!looks_like_descriptor("bitcoin:bc1q"));
        assert!(!looks_like_descriptor(" \n"));
    }
}
