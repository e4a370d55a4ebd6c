//! The engine: the barrier, messages, and payloads over sockets.

use super::criterion;
use super::lab::Lab;
use super::rounds::Spread;
use super::row::{Aim, Found};
use crate::steps::{cargo, root};

const BARRIER: &str = "superstep/Memory/8";
const MESSAGES: &str = "messages/Memory/2";
const FRAMED: &str = "payloads/Framed/2";

pub(super) fn run(lab: &mut Lab) -> Result<Found, String> {
    let mut found = Found::default();
    let filter = format!("^({BARRIER}|{MESSAGES}|{FRAMED})$");
    for sampled in criterion::run(lab, &["barrier", "exchange"], &filter)? {
        match sampled.id.as_str() {
            BARRIER => {
                let time = Some(sampled.seconds.scaled(1e6));
                found.figure(("Empty superstep", "8 threads"), time, " us", Some(Aim::AtMost(30.0)));
            }
            MESSAGES => {
                let rate = sampled.elements.map(|count| sampled.seconds.per(count / 1e6));
                let what = ("Messages of 16 bytes, a second and peer", "2 threads");
                found.figure(what, rate, " million", Some(Aim::AtLeast(5.0)));
            }
            _ => {
                let what = ("Payloads over the framed transport", "2 peers, each way at once");
                found.figure(what, sampled.gb_per_s(), " GB/s", None);
            }
        }
    }
    if root().join("benches/socket.rs").exists() {
        let ratio = Spread::of(socket(lab)?).ok_or("the bench socket has measured nothing")?;
        let what =
            "Payloads over the framed transport: rate, a plain socket pair with the same checksums = 1";
        found.figure((what, "2 peers"), Some(ratio), "", Some(Aim::AtLeast(0.9)));
    }
    Ok(found)
}

/// The ratio of every round of the bench `socket`.
fn socket(lab: &mut Lab) -> Result<Vec<f64>, String> {
    let mut command = cargo(["bench", "--locked", "--quiet", "--bench", "socket", "--"]);
    let command = command.arg(lab.size("15", "1"));
    let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    lab.say(&format!("\nbench socket\n{}", text.trim_end()));
    if !output.status.success() {
        return Err(format!("{command:?} ended with {}", output.status));
    }
    Ok(text.lines().filter_map(last_of_four).collect())
}

/// The ratio in a line `round plain framed ratio`.
fn last_of_four(line: &str) -> Option<f64> {
    let numbers: Option<Vec<f64>> = line.split_whitespace().map(|word| word.parse().ok()).collect();
    numbers.filter(|numbers| numbers.len() == 4)?.pop()
}

#[cfg(test)]
mod tests {
    use super::last_of_four;

    #[test]
    fn a_line_of_four_numbers_is_a_round() {
        assert_eq!(last_of_four("    1   3.61    3.01   0.83"), Some(0.83));
        assert_eq!(last_of_four("round  plain  framed  ratio"), None);
        assert_eq!(last_of_four("1 2 3"), None);
        assert_eq!(last_of_four(""), None);
    }
}
