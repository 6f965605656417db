//! Wallets at the edges of what is one: keys that nobody holds, keys under two names, and the texts people compare.

use bitcoin::absolute::LockTime;
use bitcoin::bip32::{ChainCode, ChildNumber, DerivationPath, Xpriv, Xpub};
use bitcoin::secp256k1::{PublicKey, Secp256k1};
use bitcoin::transaction::Version;
use bitcoin::{Network, NetworkKind, Sequence};
use policies::wallet::{Locks, Wallet, WalletError, export_text};

const H: &str = "50929b74c1a04954b78b4b6035e97a5e078a5a0f28ec96d547bfee9ace803ac0";

fn account(seed: u8) -> Xpub {
    let secp = Secp256k1::new();
    let path: DerivationPath = "48h/1h/0h/2h".parse().unwrap();
    let master = Xpriv::new_master(Network::Regtest, &[seed; 32]).unwrap();
    Xpub::from_priv(&secp, &master.derive_priv(&secp, &path).unwrap())
}

fn regtest(descriptor: &str) -> Result<Wallet, WalletError> {
    Wallet::new(Network::Regtest, &[descriptor])
}

#[test]
fn a_key_is_written_as_the_descriptor_names_it() {
    let (a, b) = (account(1), account(2));
    let origins = [format!("{a}"), format!("[00000001]{b}"), format!("[00000001/48'/1']{}", account(3))];
    let places = origins.each_ref().map(|key| format!("{key}/<0;1>/*"));
    let wallet = regtest(&format!("wsh(multi(2,{}))", places.join(","))).unwrap();
    assert_eq!(wallet.keys().iter().map(ToString::to_string).collect::<Vec<_>>(), origins);
    assert_eq!(wallet.keys()[0].fingerprint, a.fingerprint());
    assert!(wallet.keys().iter().all(|key| !key.is_unspendable()));
}

#[test]
fn a_key_under_two_origins_or_chain_codes_is_no_second_key() {
    let a = account(1);
    let wsh = |x: String, y: String| regtest(&format!("wsh(multi(1,{x}/<0;1>/*,{y}/<2;3>/*))"));
    let one = "[00000001/48']";
    assert!(matches!(
        wsh(format!("{one}{a}"), format!("[00000002/48']{a}")),
        Err(WalletError::RepeatedKey(_))
    ));
    let twin = Xpub { chain_code: ChainCode::from([9; 32]), ..a };
    assert!(matches!(wsh(format!("{one}{a}"), format!("{one}{twin}")), Err(WalletError::RepeatedKey(_))));
}

#[test]
fn nobody_signs_by_an_extended_key_over_the_unspendable_point() {
    let unspendable = Xpub {
        network: NetworkKind::Test,
        depth: 0,
        parent_fingerprint: [0; 4].into(),
        child_number: ChildNumber::Normal { index: 0 },
        public_key: format!("02{H}").parse::<PublicKey>().unwrap(),
        chain_code: ChainCode::from([7; 32]),
    };
    let leaf = format!("pk({}/<0;1>/*)", account(1));
    let wallet = regtest(&format!("tr({unspendable}/<0;1>/*,{leaf})")).unwrap();
    let by_point: Vec<bool> = wallet.keys().iter().map(policies::wallet::WalletKey::is_unspendable).collect();
    assert_eq!(by_point, [false, true]);
    let locks = Locks { version: Version::TWO, lock_time: LockTime::ZERO, sequence: Sequence::MAX };
    assert_eq!(wallet.signers(&locks), [0].into(), "the leaf's key alone");
    let with_key = regtest(&format!("tr({}/<0;1>/*,{leaf})", account(2))).unwrap();
    assert_eq!(with_key.signers(&locks), [0, 1].into());
}

#[test]
fn a_path_says_its_locks() {
    let (a, b) = (account(1), account(2));
    let text = |lock: &str| {
        let wallet = regtest(&format!("wsh(or_d(pk({a}/<0;1>/*),and_v(v:pk({b}/<0;1>/*),{lock})))")).unwrap();
        wallet.paths()[1].text(&|place| format!("key {place}"))
    };
    assert_eq!(text("older(144)"), "key 1 and 144 blocks after each coin");
    assert_eq!(text("older(4194305)"), "key 1 and 512 seconds after each coin");
    assert_eq!(text("after(800000)"), "key 1 and from block 800000 on");
    assert!(
        text("after(1700000000)").starts_with("key 1 and from 2023-11-14"),
        "{}",
        text("after(1700000000)")
    );
}

#[test]
fn what_is_exported_is_this_text() {
    let text = export_text(Network::Regtest, "main", ("out", "in"), Some(7), None);
    assert_eq!(text, "airlock/export/1\nregtest\nmain\nout\nin\n7\nnone\n");
    assert_eq!(
        export_text(Network::Bitcoin, "n", ("o", "i"), None, None),
        "airlock/export/1\nbitcoin\nn\no\ni\n-\nnone\n"
    );
}

#[test]
fn a_key_too_deep_to_have_addresses_is_refused_and_no_panic() {
    for (depth, good) in [(0, true), (3, true), (253, true), (254, false), (255, false)] {
        let mut key = account(1);
        (key.depth, key.parent_fingerprint) = (depth, [0; 4].into());
        key.child_number = ChildNumber::Normal { index: 0 };
        assert_eq!(regtest(&format!("wpkh({key}/<0;1>/*)")).is_ok(), good, "{depth}");
        let multi = format!("wsh(multi(2,{key}/<0;1>/*,{}/<0;1>/*))", account(2));
        assert_eq!(regtest(&multi).is_ok(), good, "{depth}");
    }
}

#[test]
fn a_wallet_from_which_nothing_can_ever_be_spent_is_none() {
    let own = account(1);
    let nobody = Xpub { public_key: format!("02{H}").parse::<PublicKey>().unwrap(), ..account(2) };
    for descriptor in [
        format!("tr({H},multi_a(2,{H},{own}/<0;1>/*))"),
        format!("wsh(and_v(v:pk({nobody}/<0;1>/*),pk({own}/<0;1>/*)))"),
        format!("wsh(multi(2,{nobody}/<0;1>/*,{own}/<0;1>/*))"),
    ] {
        assert_eq!(regtest(&descriptor), Err(WalletError::NoPath), "{descriptor}");
    }
    assert!(regtest(&format!("wsh(multi(1,{nobody}/<0;1>/*,{own}/<0;1>/*))")).is_ok());
}

#[test]
fn a_key_counts_where_some_path_can_be_spent_with_it_and_locks_do_not_matter() {
    let places = |n: u8| format!("{}/<0;1>/*", account(n));
    let (a, b, c) = (places(1), places(2), places(3));
    let counting = |descriptor: String| {
        let wallet = regtest(&descriptor).unwrap();
        (0..wallet.keys().len()).map(|key| wallet.counts(key)).collect::<Vec<_>>()
    };
    assert_eq!(counting(format!("wsh(multi(2,{a},{b},{c}))")), [true; 3]);
    assert_eq!(
        counting(format!("wsh(or_d(pk({a}),and_v(v:pk({b}),and_v(v:older(9),after(700000)))))")),
        [true; 2]
    );
    assert_eq!(counting(format!("tr({b},multi_a(2,{H},{a}))")), [false, true], "a's leaf needs nobody");
    assert_eq!(
        counting(format!("tr({b},{{multi_a(2,{H},{a}),and_v(v:pk({c}),older(9))}})")),
        [false, true, true]
    );
}

#[test]
fn a_choice_between_several_together_and_one_says_who_is_together() {
    let places = |n: u8| format!("{}/<0;1>/*", account(n));
    let (a, b, c, d) = (places(1), places(2), places(3), places(4));
    let choice = format!("or_i(and_v(v:pk({b}),pk({c})),pk({d}))");
    let wallet = regtest(&format!("wsh(and_v(v:pk({a}),{choice}))")).unwrap();
    let text = wallet.paths()[0].text(&|place| format!("key {place}"));
    assert_eq!(text, "key 0 and ((key 1 and key 2) or key 3)");
}

#[test]
fn relative_locks_count_under_every_version_that_unsigned_is_2_or_more() {
    let (a, b) = (account(1), account(2));
    let wallet = regtest(&format!("wsh(or_d(pk({a}/<0;1>/*),and_v(v:pk({b}/<0;1>/*),older(9))))")).unwrap();
    for (version, open) in
        [(0, false), (1, false), (2, true), (3, true), (i32::MAX, true), (-1, true), (i32::MIN, true)]
    {
        let locks = Locks { version: Version(version), lock_time: LockTime::ZERO, sequence: Sequence(9) };
        assert_eq!(wallet.paths()[1].is_open(&locks), open, "version {version}");
    }
}
