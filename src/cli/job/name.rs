//! The job that is meant by its id, or by the beginning of it.

use hama::{Cluster, Error, ErrorKind, JobId};

use crate::cli::failure::Failure;

/// Bytes of a whole id.
const WHOLE: usize = 36;

/// The only job of the cluster whose id begins so. A whole id may be that of a job that is not listed any more.
pub(super) fn find(cluster: &Cluster, text: &str) -> Result<JobId, Failure> {
    let is_part = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte) || byte == b'-';
    if text.is_empty() || text.len() >= WHOLE || !text.bytes().all(is_part) {
        return Ok(text.parse()?);
    }
    let ids: Vec<JobId> = cluster.jobs()?.iter().map(|job| job.id).collect();
    only(text, &ids)
}

fn only(text: &str, ids: &[JobId]) -> Result<JobId, Failure> {
    let found: Vec<&JobId> = ids.iter().filter(|id| id.to_string().starts_with(text)).collect();
    match found[..] {
        [id] => Ok(*id),
        [] => {
            let why = format!("cannot find a job whose id begins with {text}: the master lists none");
            Err(Failure::from(Error::new(ErrorKind::NotFound, why)).or_try("`hama job list`, or a whole id"))
        }
        [first, second, ..] => {
            let count = found.len();
            let why = format!(
                "cannot tell which job is meant by {text}: {count} begin so, {first} and {second} are two"
            );
            Err(Failure::from(Error::invalid(why)).or_try("more of its id"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_enough_where_it_is_of_one_job() {
        let ids: Vec<JobId> = [0x11, 0x12, 0x20]
            .iter()
            .map(|first| JobId::from_bytes([*first, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]))
            .collect();
        assert_eq!(only("2", &ids).unwrap(), ids[2]);
        assert_eq!(only("1201", &ids).unwrap(), ids[1]);
        assert_eq!(only("11010101-01", &ids).unwrap(), ids[0]);
        for (text, exit_code, part) in [("1", 2, "2 begin so"), ("3", 1, "begins with 3"), ("21", 1, "21")] {
            let failure = only(text, &ids).unwrap_err();
            assert_eq!(failure.exit_code(), exit_code, "{text}");
            assert!(failure.text().contains(part) && failure.text().contains("try: "), "{}", failure.text());
        }
    }
}
