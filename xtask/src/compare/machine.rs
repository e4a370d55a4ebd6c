//! The machine and the versions that figures belong to.

use std::process::Command;

use serde_json::Value;

use super::lab::Programs;
use crate::steps::root;

/// What a run is of.
pub(crate) struct Machine {
    /// Such as 2026-11-21.
    pub(crate) date: String,
    /// The processor for people, with its number of cores.
    pub(crate) name: String,
    /// The processor in a file's name, such as `intel-6-143`.
    pub(crate) slug: String,
    pub(crate) is_amd: bool,
    /// All that is known, a line each.
    pub(crate) lines: Vec<String>,
}

const PACKAGES: [&str; 5] = ["numpy", "dask", "zarr", "numcodecs", "scipy"];

impl Machine {
    /// This machine, now.
    pub(crate) fn here(programs: &Programs) -> Result<Machine, String> {
        let mut question = vec!["describe"];
        question.extend(PACKAGES);
        let known = programs.ask(&question)?;
        let mut machine = Machine::of(&known, cores());
        machine.lines.push(format!("hama: {}", said("git", &["describe", "--always", "--dirty", "--tags"])));
        machine.lines.push(format!("rust: {}", said("rustc", &["--version"])));
        Ok(machine)
    }

    /// What `compare.py describe` says.
    fn of(known: &Value, cores: usize) -> Machine {
        let text = |name: &str| known[name].as_str().unwrap_or_default();
        let vendor = match text("vendor") {
            "GenuineIntel" => "intel".to_owned(),
            "AuthenticAMD" => "amd".to_owned(),
            other => other.to_lowercase(),
        };
        let words = [&vendor, text("family"), text("model")].map(|word| {
            let word = word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
            word.collect::<String>()
        });
        let numbers = match (text("family"), text("model")) {
            ("", _) | (_, "") => String::new(),
            (family, model) => format!(" (family {family}, model {model})"),
        };
        let plural = if cores == 1 { "" } else { "s" };
        let packages = known["packages"].as_object().into_iter().flatten();
        let packages = packages.map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or("?")));
        let mut lines = vec![
            format!(
                "processor: {}{numbers}, {cores} core{plural}, {}",
                text("processor"),
                text("instructions")
            ),
            format!("memory: {} GiB, huge pages {}", known["memory_gib"], text("huge_pages")),
            format!("system: {}, load {}", text("kernel"), text("load")),
            format!("python: {}", text("python")),
        ];
        lines.extend(packages.map(|package| format!("package: {package}")));
        Machine {
            date: text("date").to_owned(),
            name: format!("{}{numbers}, {cores} core{plural}", text("processor")),
            slug: words
                .iter()
                .filter(|word| !word.is_empty())
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join("-"),
            is_amd: vendor == "amd",
            lines,
        }
    }
}

/// The processors that this process may use: as many threads has every candidate.
pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The first line that a program prints.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let output =
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    output.lines().next().unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_machine_has_a_name_for_people_and_one_for_files() {
        let known = json!({
            "date": "2026-11-21", "vendor": "AuthenticAMD", "family": "25", "model": "17", "cores": 64,
            "processor": "AMD EPYC", "packages": { "numpy": "2.4.6" },
        });
        // What the threads of candidates get counts, not what the machine has.
        let machine = Machine::of(&known, 2);
        assert_eq!(machine.slug, "amd-25-17");
        assert_eq!(machine.name, "AMD EPYC (family 25, model 17), 2 cores");
        assert!(machine.is_amd);
        assert!(machine.lines.contains(&"package: numpy 2.4.6".to_owned()));
    }

    #[test]
    fn a_machine_without_numbers_has_a_name_too() {
        let machine = Machine::of(&json!({ "vendor": "aarch64", "processor": "ARM/64" }), 1);
        assert_eq!((machine.slug.as_str(), machine.is_amd), ("aarch64", false));
        assert_eq!(machine.name, "ARM/64, 1 core");
    }
}
