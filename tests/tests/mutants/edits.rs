//! Mistakes that somebody could make in the judgement, each as an edit of one place.

/// One mistake.
pub struct Edit {
    /// What it does, in kebab-case: also the name of its crate.
    pub name: &'static str,
    /// The file below `policies/src`.
    pub file: &'static str,
    /// What stands there, exactly once.
    pub from: &'static str,
    /// What stands there instead.
    pub to: &'static str,
}

const fn edit(name: &'static str, file: &'static str, from: &'static str, to: &'static str) -> Edit {
    Edit { name, file, from, to }
}

const JUDGE: &str = "judge/mod.rs";
const LIMITS: &str = "judge/limits.rs";
const REPLACEMENT: &str = "judge/replacement.rs";
const REQUIREMENTS: &str = "judge/requirements.rs";
const HISTORY: &str = "history.rs";
const POLICY: &str = "policy/mod.rs";

/// The mistakes.
pub const EDITS: &[Edit] = &[
    edit(
        "window-without-the-payment",
        LIMITS,
        "window.seconds, Some(charge), part)",
        "window.seconds, None, part)",
    ),
    edit(
        "approvals-fill-two-places",
        REQUIREMENTS,
        "            return true;\n",
        "            if at.saturating_add(1) >= self.0.len() { return true; }\n",
    ),
    edit(
        "replacements-summed",
        HISTORY,
        "*group = (group.0.max(amount), group.1 || inside);",
        "*group = (group.0.checked_add(amount).unwrap_or(Amount::MAX), group.1 || inside);",
    ),
    edit(
        "per-payment-exclusive",
        LIMITS,
        "filter(|most| outflow > *most)",
        "filter(|most| outflow >= *most)",
    ),
    edit(
        "window-amount-exclusive",
        LIMITS,
        "sum.is_none_or(|sum| sum > most)",
        "sum.is_none_or(|sum| sum >= most)",
    ),
    edit("window-count-off-by-one", LIMITS, "|most| count > most)", "|most| count > most.saturating_add(1))"),
    edit(
        "above-inclusive",
        REQUIREMENTS,
        "sum.is_none_or(|sum| sum > above.amount)",
        "sum.is_none_or(|sum| sum >= above.amount)",
    ),
    edit(
        "requester-summed-by-key",
        REQUIREMENTS,
        "total(&|charge| case.policy.person(&charge.requester) == asker)",
        "total(&|charge| case.policy.person(&charge.requester) == asker && charge.requester == *case.requester)",
    ),
    edit("destination-not-summed", REQUIREMENTS, "if above.by.destination {", "if false {"),
    edit(
        "sums-of-two-kinds-are-one",
        REQUIREMENTS,
        "if !above.by.requester && !above.by.destination {",
        "if !above.by.requester {",
    ),
    edit(
        "own-approval-counts",
        REQUIREMENTS,
        ".filter(|person| *person != asker)",
        ".filter(|person| *person != Person::Operator)",
    ),
    edit("each-key-is-a-person", POLICY, "|name| Person::Named(name))", "|_| Person::Key(key))"),
    edit(
        "settled-ignored",
        HISTORY,
        "let settled = self.settled_groups();",
        "let settled: BTreeMap<Group<'_>, (SpendId, u64)> = BTreeMap::new();",
    ),
    edit(
        "unsettled-leaves-the-window",
        HISTORY,
        "None if self.settled.is_some() => None,",
        "None if self.settled.is_some() => Some(charge.at),",
    ),
    edit("charged-in-the-past", HISTORY, "Some(charge.at.max(charge.clock))", "Some(charge.at)"),
    edit(
        "coins-left-out",
        REPLACEMENT,
        "earlier.coins.difference(&charge.coins)",
        "earlier.coins.difference(&earlier.coins)",
    ),
    edit("window-closed-at-its-far-end", HISTORY, "|time| time > since)", "|time| time >= since)"),
    edit("other-wallets-share-a-group", HISTORY, "(&self.wallet, self.anchor)\n", "(\"\", self.anchor)\n"),
    edit(
        "back-to-self-is-free",
        JUDGE,
        "rules.iter().any(|allow| allow.to.contains(&Destination::Back))",
        "!rules.is_empty()",
    ),
    edit(
        "anyone-where-one-is-named",
        JUDGE,
        "Destination::Script(script) => *script == output.script,",
        "Destination::Script(_) => true,",
    ),
    edit("expired-a-second-early", JUDGE, "|until| case.now > *until)", "|until| case.now >= *until)"),
    edit(
        "limits-of-other-wallets",
        POLICY,
        "who && wallet.is_none_or(|name| name == from)",
        "who && (wallet.is_none() || !from.is_empty())",
    ),
    edit(
        "undeclared-replacements",
        REPLACEMENT,
        "    if undeclared {",
        "    if undeclared && charge.paid.is_empty() {",
    ),
    edit(
        "replacement-forbidden-but-done",
        REPLACEMENT,
        "allowed == Replacement::BackOnly {",
        "allowed == Replacement::BackOnly && earlier.paid.is_empty() {",
    ),
];
