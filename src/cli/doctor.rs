//! `hama doctor`: whether a store can be used, and what to do where it cannot.

use std::fmt;

use hama::table::StoreUrl;
use hama::table::store::{self, Finding, Verdict};
use serde::Serialize;

use super::Global;
use super::failure::Failure;
use super::output::Output;
use super::session::{lasting, store_url};

const EXAMPLES: &str = "\
Examples:
  hama doctor                                            the store of every command, ./hama-data
  hama doctor --store hdfs://namenode:8020/hama --make
  hama doctor --store hdfs://namenode:8020/hama --host dn1.example.org

It writes, reads, locks and deletes a file of 8 MiB. Ends with 0 where the store can be used, though perhaps slower than
it could, and as every command would end where it cannot.";

/// Look whether a store can be used, step by step, and say what to do
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Doctor {
    /// Make the store's folder where it is missing, so that all of it can be tried
    #[arg(long)]
    make: bool,
}

#[derive(Serialize)]
struct DoctorReport {
    store: String,
    /// Whether nothing is bad.
    usable: bool,
    findings: Vec<Finding>,
}

impl Doctor {
    pub(crate) fn run(self, global: &Global, output: &mut Output) -> Result<(), Failure> {
        let url: StoreUrl = lasting(store_url(global))?.parse()?;
        let examination = store::examine(&url, &global.settings.host.value, self.make);
        let findings = examination.findings;
        let usable = findings.iter().all(|finding| finding.verdict != Verdict::Bad);
        output.report(&DoctorReport { store: url.to_string(), usable, findings })?;
        match examination.error {
            Some(error) => Err(Failure::from(error).after_report()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for DoctorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { about, verdict, found, advice } in &self.findings {
            writeln!(f, "{verdict:4} {about:14} {found}")?;
            if let Some(advice) = advice {
                writeln!(f, "{:19} try: {advice}", "")?;
            }
        }
        Ok(())
    }
}
