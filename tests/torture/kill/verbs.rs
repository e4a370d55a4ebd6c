//! The verbs that are killed: what they begin with, and what they may leave.

/// A verb that is killed.
pub(super) struct Verb {
    pub(super) name: &'static str,
    /// What `hama matrix VERB --help` has to say for this to be tried.
    pub(super) needs: (&'static str, &'static str),
    /// Lines that make the old state. Those that begin with `-` may fail, `rm` removes a file.
    pub(super) before: &'static [&'static str],
    pub(super) line: &'static str,
    /// The tables that it changes; `./` stands before a file.
    pub(super) tables: &'static [&'static str],
    /// What they may be afterwards; the last when it was done.
    pub(super) allowed: &'static [&'static str],
}

const MAKE_OLD: &str = "matrix random t --rows {n} --cols {n} --seed 1 --replace";
const OLD: &[&str] = &[MAKE_OLD];
const NONE: &[&str] = &["-matrix remove t"];
/// A table of several shards.
const SPREAD: &[&str] = &[MAKE_SPREAD];
const MAKE_SPREAD: &str = "matrix multiply tall flat --output t --grid 2x1x1 --peers 2 --replace";
/// Of two shards.
const PATCH: &str = "matrix update t --at 450,200 patch";

pub(super) const VERBS: [Verb; 20] = [
    Verb {
        name: "random",
        needs: ("random", ""),
        before: NONE,
        line: "matrix random t --rows {n} --cols {n} --seed 2",
        tables: &["t"],
        allowed: &["none", "new"],
    },
    Verb {
        name: "random --replace",
        needs: ("random", ""),
        before: OLD,
        line: "matrix random t --rows {n} --cols {n} --seed 2 --replace",
        tables: &["t"],
        allowed: &["old", "new"],
    },
    Verb {
        name: "multiply",
        needs: ("multiply", ""),
        before: NONE,
        line: "matrix multiply a a --output t",
        tables: &["t"],
        allowed: &["none", "product"],
    },
    Verb {
        name: "multiply --replace",
        needs: ("multiply", ""),
        before: OLD,
        line: MAKE_SPREAD,
        tables: &["t"],
        allowed: &["old", "spread"],
    },
    Verb {
        name: "import",
        needs: ("import", ""),
        before: NONE,
        line: "matrix import new.npy t",
        tables: &["t"],
        allowed: &["none", "new"],
    },
    Verb {
        name: "import --replace",
        needs: ("import", ""),
        before: OLD,
        line: "matrix import new.npy t --replace",
        tables: &["t"],
        allowed: &["old", "new"],
    },
    Verb {
        name: "blocking",
        needs: ("blocking", ""),
        before: OLD,
        line: "matrix blocking t 3",
        tables: &["t"],
        allowed: &["old", "old in [3,3]"],
    },
    Verb {
        name: "remove",
        needs: ("remove", ""),
        before: OLD,
        line: "matrix remove t",
        tables: &["t"],
        allowed: &["old", "none"],
    },
    Verb {
        name: "blocking --copy",
        needs: ("blocking", "--copy"),
        before: SPREAD,
        line: "matrix blocking t 3 --copy",
        tables: &["t"],
        allowed: &["spread", "spread in [3,3], copied"],
    },
    Verb {
        name: "update",
        needs: ("update", ""),
        before: OLD,
        line: "matrix update t --at 100,200 patch",
        tables: &["t"],
        allowed: &["old", "updated"],
    },
    Verb {
        name: "update of two shards",
        needs: ("update", ""),
        before: SPREAD,
        line: PATCH,
        tables: &["t"],
        allowed: &["spread", "patched"],
    },
    Verb {
        name: "restore",
        needs: ("restore", ""),
        before: &["-matrix remove t", MAKE_SPREAD, PATCH],
        line: "matrix restore t@1",
        tables: &["t"],
        allowed: &["patched", "spread"],
    },
    Verb {
        name: "annotate",
        needs: ("annotate", ""),
        before: OLD,
        line: "matrix annotate t key=value",
        tables: &["t"],
        allowed: &["old", "old, with key=\"value\""],
    },
    Verb {
        name: "label",
        needs: ("label", ""),
        before: OLD,
        line: "matrix label t --rows rows.txt",
        tables: &["t"],
        allowed: &["old", "old, with row labels"],
    },
    Verb {
        name: "gc",
        needs: ("gc", ""),
        before: &[MAKE_SPREAD, PATCH, "matrix blocking t 3"],
        line: "matrix gc t --older-than 0s",
        tables: &["t"],
        allowed: &["patched in [3,3]"],
    },
    Verb {
        name: "copy",
        needs: ("copy", ""),
        before: &["-matrix remove u", MAKE_OLD],
        line: "matrix copy t u",
        tables: &["t", "u"],
        allowed: &["old and none", "old and old"],
    },
    Verb {
        name: "copy --replace",
        needs: ("copy", ""),
        before: &["matrix random u --rows {n} --cols {n} --seed 2 --replace", MAKE_OLD],
        line: "matrix copy t u --replace",
        tables: &["t", "u"],
        allowed: &["old and new", "old and old"],
    },
    Verb {
        name: "rename",
        needs: ("rename", ""),
        before: &["-matrix remove u", MAKE_OLD],
        line: "matrix rename t u",
        tables: &["t", "u"],
        // It has both names between its two steps, as its page says.
        allowed: &["old and none", "old and old", "none and old"],
    },
    Verb {
        name: "export",
        needs: ("export", ""),
        before: &["rm t.npy"],
        line: "matrix export new ./t.npy",
        tables: &["./t.npy"],
        allowed: &["none", "new"],
    },
    Verb {
        name: "multiply into a file",
        needs: ("multiply", ""),
        before: &["rm t.npy"],
        line: "matrix multiply a a --output ./t.npy",
        tables: &["./t.npy"],
        allowed: &["none", "product"],
    },
];
