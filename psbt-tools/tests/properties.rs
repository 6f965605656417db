//! Codecs under arbitrary and mutated bytes, and spends through a PSBT and back.

mod common;

use bitcoin::absolute::LockTime;
use bitcoin::hex::FromHex;
use bitcoin::transaction::Version;
use bitcoin::{Amount, OutPoint, Psbt, Sequence};
use common::{funding, payment, payment_from, stranger, wallet};
use policies::evidence::Evidence;
use policies::spend::{Spend, SpendInput, SpendOutput, SpendParts};
use policies::wallet::{Branch, Keypath, ScriptKind, Wallet};
use proptest::prelude::*;
use psbt_tools::build::build;
use psbt_tools::convert::to_version_2;
use psbt_tools::document::Document;
use psbt_tools::import::{Context, import};
use psbt_tools::strict;
use std::sync::LazyLock;

/// Whatever is read survives being written, in its own version and in version 0; what we read in version 0, `bitcoin` reads.
fn holds(bytes: &[u8]) {
    let Ok((psbt, form)) = strict::read(bytes) else { return };
    if form.version() == 0 {
        assert_eq!(Psbt::deserialize(bytes).unwrap(), psbt);
    }
    let again = form.serialize(&psbt);
    let (same, form) = strict::read(&again).unwrap();
    assert_eq!(same, psbt);
    assert_eq!(form.serialize(&psbt), again);
    assert_eq!(strict::parse(&psbt.serialize()).unwrap(), psbt);
    let imported = import(bytes.to_vec(), wallets(), &Context::default());
    if let Ok(imported) = imported {
        imported.inspection().to_json().to_string();
    }
}

/// What the seeds are of.
fn wallets() -> &'static [Wallet] {
    static WALLETS: LazyLock<Vec<Wallet>> = LazyLock::new(|| {
        let mut wallets = vec![wallet(ScriptKind::Wpkh, 7).0, wallet(ScriptKind::Tr, 7).0];
        wallets.extend(SEVERAL.map(|template| payment_from(template).wallet));
        wallets
    });
    &WALLETS
}

const SEVERAL: [&str; 4] = [
    "wsh(sortedmulti(2,@0,@1))",
    "sh(wsh(or_d(pk(@0),and_v(v:pkh(@1),older(144)))))",
    "sh(sortedmulti(1,@0,@1))",
    "tr(@0,{pk(@1),multi_a(2,@2,@3)})",
];

/// How many seeds there are.
const SEEDS: usize = 9;

fn seeds() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> = [ScriptKind::Wpkh, ScriptKind::Tr]
        .into_iter()
        .map(|kind| {
            let payment = payment(kind);
            let mut psbt = payment.psbt();
            let signatures = payment.signatures(&psbt.unsigned_tx);
            psbt_tools::export::attach_signatures(&mut psbt, &signatures).unwrap();
            psbt.serialize()
        })
        .collect();
    // BIP174's smallest.
    seeds.push(Vec::from_hex("70736274ff01000a0200000000000000000000").unwrap());
    for at in 0..2 {
        seeds.push(to_version_2(&seeds[at]).unwrap());
    }
    // Each with a signature of its second key, so that leaves are signed too.
    seeds.extend(SEVERAL.map(|template| payment_from(template).signed_by(&[1]).serialize()));
    assert_eq!(seeds.len(), SEEDS);
    seeds
}

fn keypath() -> impl Strategy<Value = Keypath> {
    (any::<bool>(), 0u32..900).prop_map(|(internal, index)| Keypath {
        branch: if internal { Branch::Internal } else { Branch::External },
        index,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        holds(&bytes);
        let mut psbt = b"psbt\xff".to_vec();
        psbt.extend(&bytes);
        holds(&psbt);
        let _ = Document::parse(bytes);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
        let _ = Document::parse(text.into_bytes());
    }

    #[test]
    fn mutated_psbts_never_panic(
        seed in 0usize..SEEDS,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0u8..4), 1..6),
    ) {
        let mut bytes = seeds().swap_remove(seed);
        for (at, byte, kind) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => { bytes.remove(at); }
                _ => bytes.insert(at, byte),
            }
        }
        holds(&bytes);
    }

    #[test]
    fn no_prefix_and_no_extension_of_a_psbt_is_a_psbt(seed in 0usize..SEEDS, cut in any::<prop::sample::Index>(), more in 1usize..5) {
        let bytes = seeds().swap_remove(seed);
        prop_assert!(strict::parse(&bytes[..cut.index(bytes.len())]).is_err());
        let mut longer = bytes;
        longer.extend(std::iter::repeat_n(0, more));
        prop_assert!(strict::parse(&longer).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_spend_survives_its_psbt(
        taproot: bool,
        coins in proptest::collection::btree_map((any::<bool>(), 0u32..900), 10_000u64..1_000_000, 1..5),
        outs in proptest::collection::vec((1_000u64..2_000, proptest::option::of(keypath()), any::<u8>()), 1..5),
        lock: u32, version: i32, sequence: u32,
    ) {
        let kind = if taproot { ScriptKind::Tr } else { ScriptKind::Wpkh };
        let (wallet, _) = wallet(kind, 7);
        let coins: Vec<_> = coins.into_iter().map(|((internal, index), sat)| {
            let branch = if internal { Branch::Internal } else { Branch::External };
            let keypath = Keypath { branch, index };
            (keypath, sat, funding(&wallet, keypath, sat))
        }).collect();
        let spend = Spend::new(SpendParts {
            network: wallet.network(),
            wallet: wallet.id(),
            version: Version(version),
            lock_time: LockTime::from_consensus(lock),
            inputs: coins.iter().map(|(keypath, sat, previous)| SpendInput {
                outpoint: OutPoint { txid: previous.compute_txid(), vout: 1 },
                sequence: Sequence(sequence),
                value: Amount::from_sat(*sat),
                keypath: *keypath,
            }).collect(),
            outputs: outs.iter().map(|(sat, own, n)| SpendOutput {
                value: Amount::from_sat(*sat),
                script: own.map_or(stranger(*n), |at| wallet.script(at).unwrap()),
                own: *own,
            }).collect(),
        }).unwrap();
        let evidence = Evidence::new(coins.into_iter().map(|(_, _, previous)| previous));
        let psbt = build(&spend, &evidence, &wallet).unwrap();
        let imported = import(psbt.serialize(), &[wallet], &Context::default()).unwrap();
        prop_assert_eq!(imported.spend(), Some(&spend));
        if !taproot {
            prop_assert_eq!(imported.evidence(), &evidence);
        }
    }
}
