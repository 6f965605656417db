//! Of what was not looked at nothing is said.

use policies::wallet::ScriptKind;

use crate::Walk;
use crate::people::Vault;

#[test]
fn what_was_never_looked_at_is_neither_clean_nor_nothing() {
    let vault = Vault::new(ScriptKind::Wpkh, 8);
    let walk = Walk::empty();
    let every = ["reconcile", "balance", "coins", "history"];
    let stale = |line: &str| {
        walk.refused(line, 5, "stale");
        let answer = walk.run(line);
        assert!(answer.stderr.contains("hint: run `watch-node sync`"), "{}", answer.stderr);
        assert_ne!(answer.json()["verdict"], "clean");
    };
    every.into_iter().for_each(stale);
    walk.done("regtest mine 101");
    every.into_iter().for_each(stale);
    walk.done("sync");
    for line in every {
        walk.done(line);
    }
    // A wallet that comes later begins at its birthday again.
    walk.write("savings.json", vault.export_obeying(None).to_string().as_bytes());
    walk.done("wallet import savings --file savings.json --birthday 50");
    every.into_iter().for_each(stale);
    stale("balance savings");
    walk.done("sync");
    assert_eq!(walk.done("reconcile")["verdict"], "clean");
    assert_eq!(walk.done("balance savings")["total_sat"], 0);
}
