//! Which machine this is.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::kernel::KernelId;

/// What decides how fast a machine computes. Figures of one are those of another that is equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's name, family and model, where the system tells them.
    pub processor: String,
    /// The cores that this process may use.
    pub cores: usize,
    /// The kernel that computes on it.
    pub kernel: String,
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        Machine {
            processor: processor(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            cores: std::thread::available_parallelism().map_or(1, |count| count.get()),
            kernel: KernelId::of_this_host().to_string(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores, kernel } = self;
        write!(f, "{processor}, {cores} core{}, {kernel}", if *cores == 1 { "" } else { "s" })
    }
}

/// The processor that the first lines of the kernel's list say.
fn processor(cpuinfo: &str) -> String {
    let of = |key: &str| {
        let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    match (of("model name"), of("cpu family"), of("model")) {
        (Some(name), Some(family), Some(model)) => format!("{name} (family {family}, model {model})"),
        (Some(name), ..) => name.to_owned(),
        _ => match (of("CPU implementer"), of("CPU part")) {
            (Some(implementer), Some(part)) => format!("implementer {implementer}, part {part}"),
            _ => format!("unknown processor ({})", std::env::consts::ARCH),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_named_as_the_system_does() {
        let x86 = "processor\t: 0\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon @ 2.0GHz\n\nprocessor\t: 1\n";
        assert_eq!(processor(x86), "Xeon @ 2.0GHz (family 6, model 143)");
        assert_eq!(processor("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"), "implementer 0x41, part 0xd0c");
        assert!(processor("").starts_with("unknown processor"));
    }

    #[test]
    fn this_one_is_always_the_same() {
        assert_eq!(Machine::this(), Machine::this());
        assert!(Machine::this().cores > 0);
    }
}
