//! Taproot's script path: leaves that are understood, and everything that BIP341 and BIP342 leave open.

use crate::signer::{key, message, secret};
use bitcoin::hashes::Hash;
use bitcoin::opcodes::all as op;
use bitcoin::script::Builder;
use bitcoin::secp256k1::{Keypair, Message as Digest, Secp256k1, XOnlyPublicKey};
use bitcoin::sighash::{Prevouts, SighashCache, TapSighashType};
use bitcoin::taproot::{LeafVersion, TaprootBuilder, TaprootSpendInfo};
use bitcoin::{ScriptBuf, TapLeafHash, Witness};
use policies::message::bip322::{Locks, ToSign};
use psbt_tools::message::signature::Signature;
use psbt_tools::message::{Verdict, verify};

fn x_only(n: u8) -> XOnlyPublicKey {
    key(n).inner.x_only_public_key().0
}

fn tree(leaf: &ScriptBuf, version: LeafVersion) -> TaprootSpendInfo {
    let tree = TaprootBuilder::new().add_leaf_with_ver(0, leaf.clone(), version).unwrap();
    tree.finalize(&Secp256k1::new(), x_only(9)).unwrap()
}

/// The verdict on a witness made of key 7's and key 8's signatures.
fn judged(
    leaf: &ScriptBuf,
    version: LeafVersion,
    kind: TapSighashType,
    items: impl Fn(Vec<u8>, Vec<u8>) -> Vec<Vec<u8>>,
    annex: Option<&[u8]>,
) -> Verdict {
    let info = tree(leaf, version);
    let address = ScriptBuf::new_p2tr_tweaked(info.output_key());
    let to_sign = ToSign::new(&message("leaf"), &address, Locks::NONE, &[]).unwrap();
    let by = |n| {
        let digest = SighashCache::new(to_sign.transaction())
            .taproot_script_spend_signature_hash(
                0,
                &Prevouts::All(to_sign.prevouts()),
                TapLeafHash::from_script(leaf, version),
                kind,
            )
            .unwrap();
        let secp = Secp256k1::new();
        let pair = Keypair::from_secret_key(&secp, &secret(n));
        let signature = secp.sign_schnorr_no_aux_rand(&Digest::from_digest(digest.to_byte_array()), &pair);
        bitcoin::taproot::Signature { signature, sighash_type: kind }.to_vec()
    };
    let control = info.control_block(&(leaf.clone(), version)).unwrap();
    let mut witness = Witness::from_slice(&items(by(7), by(8)));
    witness.push(leaf.as_bytes());
    witness.push(control.serialize());
    annex.into_iter().for_each(|annex| witness.push(annex));
    verify(&message("leaf"), &address, &Signature::Simple(witness))
}

fn tapscript(leaf: Builder, items: impl Fn(Vec<u8>, Vec<u8>) -> Vec<Vec<u8>>) -> &'static str {
    judged(&leaf.into_script(), LeafVersion::TapScript, TapSighashType::Default, items, None).as_str()
}

fn pk(n: u8) -> Builder {
    Builder::new().push_x_only_key(&x_only(n)).push_opcode(op::OP_CHECKSIG)
}

fn multi_a() -> Builder {
    let keys = pk(7).push_x_only_key(&x_only(8)).push_opcode(op::OP_CHECKSIGADD);
    keys.push_x_only_key(&x_only(9)).push_opcode(op::OP_CHECKSIGADD).push_int(2).push_opcode(op::OP_NUMEQUAL)
}

#[test]
fn leaves_of_keys_and_of_several_keys_are_valid() {
    assert_eq!(tapscript(pk(7), |seven, _| vec![seven]), "valid");
    assert_eq!(tapscript(pk(7), |_, eight| vec![eight]), "invalid");
    assert_eq!(tapscript(pk(7), |_, _| vec![vec![]]), "invalid");
    assert_eq!(tapscript(multi_a(), |seven, eight| vec![vec![], eight, seven]), "valid");
    assert_eq!(tapscript(multi_a(), |seven, eight| vec![vec![], seven, eight]), "invalid");
    assert_eq!(tapscript(multi_a(), |seven, _| vec![vec![], vec![], seven]), "invalid");
    assert_eq!(tapscript(pk(7), |seven, _| vec![seven.clone(), seven]), "invalid");
}

#[test]
fn other_sighash_types_are_invalid() {
    let judge =
        |kind| judged(&pk(7).into_script(), LeafVersion::TapScript, kind, |seven, _| vec![seven], None);
    assert_eq!(judge(TapSighashType::All).as_str(), "valid");
    for kind in [TapSighashType::None, TapSighashType::Single, TapSighashType::AllPlusAnyoneCanPay] {
        assert_eq!(judge(kind).as_str(), "invalid", "{kind}");
    }
}

#[test]
fn what_bip341_and_bip342_leave_open_is_inconclusive() {
    let future = LeafVersion::from_consensus(0xc2).unwrap();
    let all = TapSighashType::Default;
    let leaf = pk(7).into_script();
    assert_eq!(judged(&leaf, future, all, |seven, _| vec![seven], None).as_str(), "inconclusive");
    let with = |opcode: u8| ScriptBuf::from_bytes([&[opcode][..], leaf.as_bytes()].concat());
    for success in [0x50, 0x7e, 0xbb, 0xfe] {
        let verdict = judged(&with(success), LeafVersion::TapScript, all, |seven, _| vec![seven], None);
        assert_eq!(verdict.as_str(), "inconclusive", "{success:x}");
    }
    let unknown_key = Builder::new().push_slice([2; 33]).push_opcode(op::OP_CHECKSIG);
    assert_eq!(tapscript(unknown_key, |seven, _| vec![seven]), "inconclusive");
    assert_eq!(tapscript(Builder::new().push_int(1), |_, _| vec![]), "inconclusive");
    // A signature that commits to an annex is not made here; Core refuses one that does not.
    let annex = judged(&leaf, LeafVersion::TapScript, all, |seven, _| vec![seven], Some(&[0x50, 1]));
    assert_eq!(annex.as_str(), "invalid");
}

#[test]
fn operations_that_are_not_of_tapscript_are_invalid() {
    let multi = Builder::new().push_int(0).push_int(0).push_opcode(op::OP_CHECKMULTISIG);
    assert_eq!(tapscript(multi, |_, _| vec![vec![]]), "invalid");
    let separated = pk(7).push_opcode(op::OP_CODESEPARATOR);
    assert_eq!(tapscript(separated, |seven, _| vec![seven]), "invalid");
}
