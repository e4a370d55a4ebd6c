//! `hama.toml`. Its parser belongs to the command, which is no library, so its file is compiled here once more.
#![no_main]
#![expect(dead_code, reason = "the command uses the rest")]

#[path = "../../src/cli/settings/file.rs"]
mod file;
#[path = "../../src/cli/seconds.rs"]
mod seconds;
#[path = "../../src/cli/size.rs"]
mod size;

/// What that file uses of the command.
mod cli {
    pub(crate) use crate::{seconds, size};

    pub(crate) mod progress {
        #[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub(crate) enum Kind {
            Auto,
            Plain,
            None,
        }
    }

    #[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub(crate) enum Survives {
        Full,
        None,
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Ok(content) = std::str::from_utf8(bytes) {
        let _ = file::parse("hama.toml".as_ref(), content);
    }
});
